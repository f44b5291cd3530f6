import type { Runtime } from '@brokerx/infra';

/**
 * Sends over one WebSocket, within a bound. A client that takes too little is *behind*: then the outbox declines offers, so
 * that their sender can say later what is missing. Replies still go out, within a bound of their own.
 */
export type Outbox = {
  /** Sends a reply. Cuts the connection off where `REPLIES_BYTES_MAX` are waiting already. */
  reply(text: string): void;
  /** Sends a message of a channel; false: the client is behind, and nothing was sent. */
  offer(text: string): boolean;
  /** Bytes that wait for the client. */
  waiting(): number;
  /** Called whenever there is room again. */
  onRoom(listener: () => void): void;
  /** Resolves when at most this many bytes wait; with false when the connection has closed instead. */
  below(bytes: number): Promise<boolean>;
  /** Nothing is sent any more. */
  close(): void;
};

/** The part of a WebSocket that the outbox uses. */
export type Socket = {
  readonly bufferedAmount: number;
  send(text: string, sent: () => void): void;
};

/** A client is behind once more bytes wait: some seconds of a busy symbol. */
const BUFFER_BYTES_MAX = 1024 * 1024;
/** A client is no longer behind once at most this many bytes wait. */
export const ROOM_BYTES = 64 * 1024;
/** Replies are few: a client that lets this many bytes wait has gone. */
export const REPLIES_BYTES_MAX = 4 * BUFFER_BYTES_MAX;
/** Milliseconds that a client may stay behind before it is cut off. */
export const BEHIND_MS_MAX = 30_000;

export function outbox(options: {
  socket: Socket;
  runtime: Runtime;
  /** Closes the connection of a client that is too slow. */
  cutOff: () => void;
  bufferBytesMax?: number | undefined;
}): Outbox {
  const { socket, runtime, cutOff, bufferBytesMax = BUFFER_BYTES_MAX } = options;
  const listeners: (() => void)[] = [];
  let waiters: { bytes: number; resolve: (room: boolean) => void }[] = [];
  let behind = false;
  let closed = false;
  let cancelPatience: (() => void) | null = null;

  const send = (text: string) => socket.send(text, afterSend);
  const afterSend = () => {
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
