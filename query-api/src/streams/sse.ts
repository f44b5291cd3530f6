import { Readable } from 'node:stream';
import type { Runtime } from '@brokerx/infra';

/**
 * One server-sent-events response (HTML Living Standard §9.2), with a bounded buffer. A client that does not keep up is told so
 * and cut off, and resumes by `Last-Event-ID`; no other client waits for it.
 */
export type EventStream = {
  /** The response body. */
  readonly body: Readable;
  /** Aborted when the stream has ended, whichever side ended it. */
  readonly ended: AbortSignal;
  /** Sends a message that must not be left out; a full buffer ends the stream as `slow_consumer`. */
  send(frame: string): void;
  /** Sends a message that replaces the one before it: a slow client gets only the newest. */
  sendState(frame: string): void;
  /** Sends a sign of life, unless other bytes wait for the client anyway. */
  beat(): void;
  /** Resolves when the client has taken most of what was sent; with false when the stream has ended instead. */
  drained(): Promise<boolean>;
  /**
   * Resolves when there is room for another message of the past; with false when the stream has ended. Messages of the past
   * wait for the client, so they never make it slow.
   */
  room(): Promise<boolean>;
  /** Ends the stream with a last message that states the reason. */
  end(reason: EndReason): void;
  /** Drops a stream whose request was refused before it began. */
  discard(): void;
};
/** `unavailable`: the data cannot be read now; the client connects again. */
export type EndReason =
  | 'slow_consumer'
  | 'token_expired'
  | 'session_ended'
  | 'server_shutdown'
  | 'unavailable';

/** About 2,000 messages: some seconds of a busy symbol. */
const BUFFER_BYTES_MAX = 512 * 1024;
/** A message that replaces another waits until at most this many bytes are in the buffer. */
const STATE_BUFFER_BYTES_MAX = 64 * 1024;
/** Messages of the past wait above this many bytes: lower than the buffer's bound by more than the longest message. */
const PAST_BUFFER_BYTES_MAX = 128 * 1024;
/** Milliseconds that a client has to take the last message before its connection is cut. */
export const LINGER_MS = 5_000;
/** Milliseconds that a client may take nothing while messages of the past wait for it. */
const STALL_MS = 30_000;
/** Milliseconds that a browser waits before it connects again. */
const RECONNECT_MS = 1_000;

export function eventStream(options: { runtime: Runtime; bufferBytesMax?: number }): EventStream {
  const { runtime, bufferBytesMax = BUFFER_BYTES_MAX } = options;
  const ended = new AbortController();
  let state: string | null = null;
  let wakeDrained: ((taken: boolean) => void)[] = [];

  const body = new Readable({
    highWaterMark: STATE_BUFFER_BYTES_MAX,
    // Node calls this when fewer bytes than the mark remain beside the chunk that it is taking.
    read: () => {
      if (state !== null) {
        const frame = state;
        state = null;
        body.push(frame);
      }
      wake(true);
    },
  });
  const wake = (taken: boolean) => {
    const waiting = wakeDrained;
    wakeDrained = [];
    for (const resolve of waiting) resolve(taken);
  };
  const finish = () => {
    if (ended.signal.aborted) return;
    ended.abort();
    wake(false);
  };
  body.on('close', finish);
  // A client that goes away is the usual end of a stream, not an error.
  body.on('error', finish);
  const drained = (): Promise<boolean> => {
    if (ended.signal.aborted) return Promise.resolve(false);
    if (body.readableLength < body.readableHighWaterMark) return Promise.resolve(true);
    return new Promise((resolve) => {
      const cancel = runtime.setTimer(STALL_MS, () => end('slow_consumer'));
      wakeDrained.push((taken) => {
        cancel();
        resolve(taken);
      });
    });
  };
  const end = (reason: EndReason) => {
    if (ended.signal.aborted) return;
    finish();
    body.push(`event: ${reason}\ndata: {}\n\n`);
    body.push(null);
    const cancel = runtime.setTimer(LINGER_MS, () => body.destroy());
    body.once('close', cancel);
  };
  body.push(`retry: ${RECONNECT_MS}\n: connected\n\n`);

  return {
    body,
    ended: ended.signal,
    send(frame) {
      if (ended.signal.aborted) return;
      if (body.readableLength + frame.length > bufferBytesMax) end('slow_consumer');
      else body.push(frame);
    },
    sendState(frame) {
      if (ended.signal.aborted) return;
      if (body.readableLength > STATE_BUFFER_BYTES_MAX) state = frame;
      else body.push(frame);
    },
    beat() {
      if (!ended.signal.aborted && body.readableLength === 0) body.push(': heartbeat\n\n');
    },
    drained,
    room: () =>
      body.readableLength > PAST_BUFFER_BYTES_MAX ? drained() : Promise.resolve(!ended.signal.aborted),
    end,
    discard: () => {
      finish();
      body.destroy();
    },
  };
}

/** The options of `follow` for a stream: it goes on for as long as the client takes events. */
export const followedBy = (to: EventStream) => ({
  ended: to.ended,
  room: to.room,
  failed: () => to.end('unavailable'),
});
