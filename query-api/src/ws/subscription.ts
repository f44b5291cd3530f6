import type { Ended, ResyncReason } from '@brokerx/contracts';
import { aboutText, type StreamMessage, type Subject } from '../live/streamMessage.ts';
import type { Sink } from '../streams/sink.ts';
import { type Outbox, ROOM_BYTES } from './outbox.ts';

/**
 * One channel of one connection. Where the client is behind, messages that count are left out, and once there is room the
 * client is told from where on they are missing (`resync`); of those that tell how things stand the newest is kept.
 */
export type Subscription = {
  readonly sink: Sink;
  /** There is room again. */
  room(): void;
  /** Says why, and ends. */
  end(reason: Ended['reason']): void;
  /** Ends without a word. */
  close(): void;
};

/** Of the past so much may wait: well below what makes a client slow. */
const PAST_BYTES_MAX = 2 * ROOM_BYTES;

export function subscription(subject: Subject, to: Outbox, ended: () => void): Subscription {
  const over = new AbortController();
  let last: number | null = null;
  let lost: { reason: ResyncReason; sequence: number | null } | null = null;
  let state: StreamMessage | null = null;

  const close = () => {
    if (over.signal.aborted) return;
    over.abort();
    ended();
  };
  const end = (reason: Ended['reason']) => {
    if (over.signal.aborted) return;
    to.reply(`${aboutText('ended', subject)},"reason":"${reason}"}`);
    close();
  };
  const told = ({ reason, sequence }: NonNullable<typeof lost>) =>
    to.offer(`${aboutText('resync', subject)},"reason":"${reason}","sequence":${sequence}}`);
  const send = (message: StreamMessage) => {
    if (over.signal.aborted || lost) return;
    if (to.offer(message.text())) last = message.sequence;
    else lost = { reason: 'slow_consumer', sequence: last };
  };

  return {
    sink: {
      ended: over.signal,
      send,
      sendState(message) {
        if (over.signal.aborted) return;
        if (to.waiting() > ROOM_BYTES || !to.offer(message.text())) state = message;
        else state = null;
      },
      resync(reason, sequence) {
        if (over.signal.aborted) return;
        const missing = { reason, sequence };
        if (!told(missing)) lost = missing;
      },
      room: async () => !over.signal.aborted && (await to.below(PAST_BYTES_MAX)) && !over.signal.aborted,
      fail: () => end('unavailable'),
    },
    room() {
      if (lost && told(lost)) lost = null;
      if (state && to.offer(state.text())) state = null;
    },
    end,
    close,
  };
}
