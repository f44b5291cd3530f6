import type { ResyncReason } from '@brokerx/contracts';
import { frame } from '../live/sseFrame.ts';
import type { StreamMessage } from '../live/streamMessage.ts';
import type { EventStream } from './sse.ts';

/** Takes the messages of one channel for one client, over server-sent events or a WebSocket. */
export type Sink = {
  /** Aborted when the channel has ended: nothing is sent any more. */
  readonly ended: AbortSignal;
  /** Sends a message. Where it has to be left out, the client is told so. */
  send(message: StreamMessage): void;
  /** Sends a message that replaces the one before it: a slow client gets only the newest. */
  sendState(message: StreamMessage): void;
  /** Tells the client that messages behind this sequence are missing. */
  resync(reason: ResyncReason, sequence: number): void;
  /** Resolves when there is room for another message of the past; with false when the channel has ended. */
  room(): Promise<boolean>;
  /** Ends the channel because its data cannot be read any more. */
  fail(): void;
};

/** The sink of a server-sent events response: a client that is too slow is cut off, and resumes by `Last-Event-ID`. */
export const eventSink = (to: EventStream): Sink => ({
  ended: to.ended,
  send: (message) => to.send(message.frame()),
  sendState: (message) => to.sendState(message.frame()),
  resync: (reason, sequence) => to.send(frame('resync_required', JSON.stringify({ reason, sequence }))),
  room: to.room,
  fail: () => to.end('unavailable'),
});
