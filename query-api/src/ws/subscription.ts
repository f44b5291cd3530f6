import type { Ended, ResyncReason } from '@brokerx/contracts';
import { aboutText, type StreamMessage, type Subject } from '../live/streamMessage.ts';
import type { Sink } from '../streams/sink.ts';
import { type Outbox, ROOM_BYTES } from './outbox.ts';

/**
 * One channel of one WebSocket connection, in one of three modes:
 * - *flowing*: messages go out as they come. Where the client is too slow for one, the mode becomes *gap*.
 * - *gap*: messages are left out. Once there is room, a `resync` says after which sequence they are missing, and it flows again.
 * - *ended*: nothing goes out any more.
 * Messages that replace each other need no gap: the newest waits until there is room.
 */
export type Subscription = {
  readonly sink: Sink;
  /** There is room again. */
  room(): void;
  /** Tells the client why the channel ends, and ends it. */
  end(reason: Ended['reason']): void;
  /** Ends the channel without a message. */
  close(): void;
};

type Gap = { reason: ResyncReason; sequence: number | null };
type Mode = { name: 'flowing' } | { name: 'gap'; gap: Gap } | { name: 'ended' };
const FLOWING: Mode = { name: 'flowing' };

/** Messages of the past pause while more bytes than this wait: far fewer than make a client slow. */
const PAST_BYTES_MAX = 2 * ROOM_BYTES;

export function subscription(subject: Subject, to: Outbox, onEnd: () => void): Subscription {
  const ended = new AbortController();
  let mode: Mode = FLOWING;
  let lastSequence: number | null = null;
  let waitingState: StreamMessage | null = null;

  const close = () => {
    if (mode.name === 'ended') return;
    mode = { name: 'ended' };
    ended.abort();
    onEnd();
  };
  const end = (reason: Ended['reason']) => {
    if (mode.name === 'ended') return;
    to.reply(`${aboutText('ended', subject)},"reason":"${reason}"}`);
    close();
  };
  const offerResync = ({ reason, sequence }: Gap): boolean =>
    to.offer(`${aboutText('resync', subject)},"reason":"${reason}","sequence":${sequence}}`);

  return {
    sink: {
      ended: ended.signal,
      send(message) {
        if (mode.name !== 'flowing') return;
        if (to.offer(message.text())) lastSequence = message.sequence;
        else mode = { name: 'gap', gap: { reason: 'slow_consumer', sequence: lastSequence } };
      },
      sendState(message) {
        if (mode.name === 'ended') return;
        waitingState = to.waiting() > ROOM_BYTES || !to.offer(message.text()) ? message : null;
      },
      resync(reason, sequence) {
        if (mode.name === 'ended') return;
        const gap = { reason, sequence };
        if (!offerResync(gap)) mode = { name: 'gap', gap };
      },
      room: async () => mode.name !== 'ended' && (await to.below(PAST_BYTES_MAX)) && !ended.signal.aborted,
      fail: () => end('unavailable'),
    },
    room() {
      if (mode.name === 'gap' && offerResync(mode.gap)) mode = FLOWING;
      if (waitingState && to.offer(waitingState.text())) waitingState = null;
    },
    end,
    close,
  };
}
