import type { Runtime } from '@brokerx/infra';

/**
 * What goes out over one WebSocket, with a bound: who does not take what is sent is *behind*. Then offers are turned down,
 * so that whoever made them can say later what is missing; replies still go, up to a bound of their own.
 */
export type Outbox = {
  /** Goes out unless the connection is over; one that has far too much waiting is cut off. */
  reply(text: string): void;
  /** False: the client is behind, and this was not sent. */
  offer(text: string): boolean;
  /** Bytes that wait for the client. */
  waiting(): number;
  /** Called whenever there is room again. */
  onRoom(listener: () => void): void;
  /** Resolves when less than so much is waiting; false when the connection ended instead. */
  below(bytes: number): Promise<boolean>;
  /** Nothing is sent any more. */
  close(): void;
};

/** What is needed of a socket. */
export type Socket = {
  readonly bufferedAmount: number;
  send(text: string, sent: () => void): void;
};

/** Seconds of a busy symbol. */
const BUFFER_BYTES_MAX = 1024 * 1024;
/** What a client must have come down to before more is sent. */
export const ROOM_BYTES = 64 * 1024;
/** Replies are few; who lets so much wait has gone. */
export const REPLIES_BYTES_MAX = 4 * BUFFER_BYTES_MAX;
/** Milliseconds that a client may stay behind. */
export const BEHIND_MS_MAX = 30_000;

export function outbox(options: {
  socket: Socket;
  runtime: Runtime;
  /** The client is too slow to be kept. */
  cutOff: () => void;
  bufferBytesMax?: number | undefined;
}): Outbox {
  const { socket, runtime, cutOff, bufferBytesMax = BUFFER_BYTES_MAX } = options;
  const listeners: (() => void)[] = [];
  let waiters: { bytes: number; resolve: (room: boolean) => void }[] = [];
  let behind = false;
  let closed = false;
  let cancelPatience: (() => void) | null = null;

  const send = (text: string) => socket.send(text, taken);
  const taken = () => {
    if (closed) return;
    const waiting = socket.bufferedAmount;
    if (behind && waiting <= ROOM_BYTES) {
      behind = false;
      cancelPatience?.();
      cancelPatience = null;
    }
    if (waiters.length > 0) {
      const due = waiters.filter(({ bytes }) => waiting <= bytes);
      waiters = waiters.filter(({ bytes }) => waiting > bytes);
      for (const { resolve } of due) resolve(true);
    }
    if (!behind && waiting <= ROOM_BYTES) for (const listener of listeners) listener();
  };
  const patience = () => {
    cancelPatience ??= runtime.setTimer(BEHIND_MS_MAX, () => {
      if (!closed) cutOff();
    });
  };

  return {
    reply(text) {
      if (closed) return;
      if (socket.bufferedAmount + text.length > REPLIES_BYTES_MAX) cutOff();
      else send(text);
    },
    offer(text) {
      if (closed) return false;
      if (!behind && socket.bufferedAmount + text.length > bufferBytesMax) {
        behind = true;
        patience();
      }
      if (behind) return false;
      send(text);
      return true;
    },
    waiting: () => socket.bufferedAmount,
    onRoom: (listener) => void listeners.push(listener),
    below(bytes) {
      if (closed) return Promise.resolve(false);
      if (socket.bufferedAmount <= bytes) return Promise.resolve(true);
      return new Promise((resolve) => {
        waiters.push({ bytes, resolve });
      });
    },
    close() {
      closed = true;
      cancelPatience?.();
      for (const { resolve } of waiters) resolve(false);
      waiters = [];
      listeners.length = 0;
    },
  };
}
