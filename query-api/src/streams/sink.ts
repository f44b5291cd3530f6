import type { ResyncReason } from '@brokerx/contracts';
import { frame } from '../live/sseFrame.ts';
import type { StreamMessage } from '../live/streamMessage.ts';
import type { EventStream } from './sse.ts';

/** Where the messages of one channel go: to one client, over server-sent events or a WebSocket. */
export type Sink = {
  /** Aborted when nothing is to be sent any more. */
  readonly ended: AbortSignal;
  /** A message that must not be left out unless the client is told so. */
  send(message: StreamMessage): void;
  /** A message that replaces the one before it: where the client is slow, only the newest is kept. */
  sendState(message: StreamMessage): void;
  /** Messages behind this sequence are missing. */
  resync(reason: ResyncReason, sequence: number): void;
  /** Before each message of the past: resolves when there is room for it; false when it has ended. */
  room(): Promise<boolean>;
  /** What is sent cannot be read any more. */
  fail(): void;
};

/** Server-sent events: who does not keep up is cut off, to resume by `Last-Event-ID`. */
export const eventSink = (to: EventStream): Sink => ({
  ended: to.ended,
  send: (message) => to.send(message.frame()),
  sendState: (message) => to.sendState(message.frame()),
  resync: (reason, sequence) => to.send(frame('resync_required', JSON.stringify({ reason, sequence }))),
  room: to.room,
  fail: () => to.end('unavailable'),
});
