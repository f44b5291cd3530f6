import type { Event } from '@brokerx/contracts';
import type {
  Batch,
  EventStore,
  Feed,
  KafkaProducer,
  Landmark,
  Log,
  OutgoingMessage,
  PartitionOf,
  Recorded,
  Runtime,
  Telemetry,
} from '@brokerx/infra';
import { heardElsewhere, mayFail } from '@brokerx/infra';
import type { RelayMetrics } from './metrics.ts';
import type { Place, TopicLayout } from './topicLayout.ts';
import { bytesOf, eventMessage, incomplete, type Sender, textOf, watermark } from './topicMessages.ts';
import {
  addMessage,
  BATCH_OVERHEAD_BYTES,
  emptyPart,
  type Part,
  partBytesMaxOf,
  SEND_MESSAGES_MAX,
} from './topicPart.ts';
import type { Withholding } from './topicWithholding.ts';

/**
 * One relay at work: it sends all events beyond the floors to the topics, in the store's order, one request at a time. So nothing
 * above a position is sent to a partition before everything up to it is acknowledged there. Events that are appended while a
 * request is on its way go out together in the next one.
 *
 *     working ──a failure──▶ failed ──stop()──▶ stopped
 *        └────────────────stop()──────────────────▲
 *
 * Only a working session takes batches and begins rounds of watermarks. What it has begun goes on, and `stop` waits for it.
 */
export type TopicSession = {
  /** Every event up to here is acknowledged by all of its partitions. */
  position(): number;
  /** Rejects after any failure. What the topics have is then unknown, so the next relay reads it from them. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
};

type Options = {
  store: EventStore<Event>;
  feed: Feed<Event>;
  producer: KafkaProducer;
  layout: TopicLayout;
  withheld: Withholding;
  /** By slot: the position up to which the partition has every event. */
  floors: readonly number[];
  /** The last event that the topics have. */
  landmark: Landmark | null;
  epoch: number;
  /** Bytes of the largest request that a partition accepts. */
  messageBytesMax: number;
  runtime: Runtime;
  log: Log;
  metrics: RelayMetrics;
  telemetry: Telemetry;
};

/** Milliseconds between rounds of watermarks: a reader waits so long at most to learn that a position is reached. */
const WATERMARKS_EVERY_MS = 50;

/** The events that go to any topic. */
export const RELAYED = { categories: ['account', 'book', 'market'] } as const;

type SessionState = Options & {
  mode: 'working' | 'failed' | 'stopped';
  /** Rejects when the session fails. */
  readonly failing: PromiseWithResolvers<never>;
  /** What all messages say about this relay. */
  readonly sender: Sender;
  /** By slot: the position up to which the partition has acknowledged every event. */
  readonly reached: number[];
  /** Every event up to here is acknowledged by all of its partitions. */
  position: number;
  /** Milliseconds, on the monotonic clock, of the last round of watermarks. */
  watermarksMs: number;
  /** Cancels the next round of watermarks, while a timer waits for it. */
  cancelTimer: (() => void) | null;
  /** Resolves when the last request that was given has ended. */
  turn: Promise<unknown>;
};

export async function startTopicSession(options: Options): Promise<TopicSession> {
  const { store, feed, floors, metrics } = options;
  const session: SessionState = {
    ...options,
    mode: 'working',
    failing: Promise.withResolvers<never>(),
    sender: { storeId: store.id, epoch: options.epoch },
    reached: [...floors],
    position: Math.min(...floors),
    watermarksMs: Number.NEGATIVE_INFINITY,
    cancelTimer: null,
    turn: Promise.resolve(),
  };
  heardElsewhere(session.failing.promise);
  await announce(session);
  metrics.moved(session.position);

  const subscription = feed.subscribe({
    name: 'relay',
    after: { storeId: store.id, position: session.position },
    filter: RELAYED,
    batchEventsMax: SEND_MESSAGES_MAX / 2,
    async handle(batch) {
      try {
        if (session.mode !== 'working') throw new Error('the relay has stopped');
        await take(session, batch);
      } catch (error) {
        fail(session, error);
        void subscription.stop();
        throw error;
      }
    },
  });

  return {
    position: () => session.position,
    failed: session.failing.promise,
    async stop() {
      session.mode = 'stopped';
      session.cancelTimer?.();
      await subscription.stop();
      await session.turn;
    },
  };
}

/** Sends the first message of every partition. It tells this epoch: readers then drop what an earlier relay still sends. */
async function announce(session: SessionState): Promise<void> {
  const part = emptyPart();
  for (const slot of session.layout.slots.keys()) {
    addWatermark(session, part, slot, session.reached[slot] ?? 0);
  }
  await session.producer.send(part.messages);
}

function fail(session: SessionState, error: unknown): void {
  session.failing.reject(error);
  if (session.mode === 'working') session.mode = 'failed';
}

/** Sends the events of a batch to their partitions, in as many parts as their bounds demand. */
async function take(session: SessionState, batch: Batch<Event>): Promise<void> {
  const partBytesMax = partBytesMaxOf(session.messageBytesMax);
  let part = emptyPart();
  let last = 0;
  for (const recorded of batch.events) {
    const places = missingPlaces(session, recorded);
    const text = places.length > 0 ? eventText(session, recorded) : '';
    for (const place of places) {
      const made = messageOf(session, recorded, text, place);
      if (typeof made === 'string') {
        await withhold(session, place, recorded, made);
        continue;
      }
      const bytes = bytesOf(made);
      if (part.count >= SEND_MESSAGES_MAX || (part.count > 0 && part.bytes + bytes > partBytesMax)) {
        // A request may end between two places of one event: the later request passes its position.
        await inTurn(session, () => send(session, part, last));
        part = emptyPart();
      }
      addMessage(part, place.slot, place.topic, made, recorded.position);
      part.bytes += bytes;
    }
    if (places.length > 0) part.traceparents.push(recorded.event.traceparent);
    last = recorded.position;
    // The landmark of the floors may be further on than this event.
    if (last > (session.landmark?.position ?? 0)) {
      session.landmark = { position: last, commitId: recorded.commitId };
    }
  }
  await inTurn(session, () => send(session, part, batch.position));
  sendLastWatermarks(session);
}

/** The places of an event that still lack it. */
function missingPlaces({ layout, reached, withheld }: SessionState, event: Recorded<Event>): Place[] {
  return layout.placesOf(event).filter((place) => {
    if (event.position <= (reached[place.slot] ?? 0)) return false;
    return !withheld.holds(place, event.position);
  });
}

function eventText({ store }: SessionState, { event }: Recorded<Event>): string | Error {
  try {
    return textOf(store.codec, event);
  } catch (error) {
    return new Error('it cannot be written as text', { cause: error });
  }
}

/** The message of an event, or the reason why it cannot be sent. */
function messageOf(
  session: SessionState,
  recorded: Recorded<Event>,
  text: string | Error,
  place: Place,
): OutgoingMessage | string {
  if (typeof text !== 'string') return `${text.message}: ${text.cause}`;
  const made = marked(session, eventMessage(recorded, text, place, session.sender), place.topic);
  const bytes = bytesOf(made) + BATCH_OVERHEAD_BYTES;
  if (bytes <= session.messageBytesMax) return made;
  return `it has ${bytes} bytes, the topic takes ${session.messageBytesMax} (max.message.bytes)`;
}

/** Marks a message of a partition from which events are withheld. */
function marked({ withheld }: SessionState, message: OutgoingMessage, topic: string): OutgoingMessage {
  return withheld.touches({ topic, partition: message.partition }) ? incomplete(message) : message;
}

async function withhold(
  { withheld, metrics, log }: SessionState,
  place: Place,
  event: Recorded<Event>,
  reason: string,
): Promise<void> {
  await withheld.begin(place, event, reason);
  metrics.withheld(withheld.keys().length);
  log.error(
    { topic: place.topic, key: place.key, position: event.position, event: event.event.id, reason },
    'an event cannot be sent: it and all later ones of its key are withheld from this topic',
  );
}

/** Runs one send at a time: the timer's sends and the feed's wait for each other. */
function inTurn(session: SessionState, work: () => Promise<void>): Promise<void> {
  const done = session.turn.then(work);
  session.turn = mayFail(done, 'whoever has given it hears of it; the next one has its turn');
  return done;
}

async function send(session: SessionState, part: Part, to: number): Promise<void> {
  const { producer, runtime, metrics, telemetry } = session;
  const isTime = runtime.monotonicMs() - session.watermarksMs >= WATERMARKS_EVERY_MS;
  if (isTime) addWatermarks(session, part, to);
  if (part.count > 0) {
    const startedMs = runtime.monotonicMs();
    const about = {
      kind: 'producer',
      links: part.traceparents,
      attributes: { messages: part.count },
    } as const;
    await telemetry.span('send to topics', about, () => producer.send(part.messages));
    metrics.sent(part.count, runtime.monotonicMs() - startedMs);
  }
  if (isTime) session.watermarksMs = runtime.monotonicMs();
  for (const [slot, last] of part.lastOf) session.reached[slot] = last;
  session.position = to;
  metrics.moved(to);
}

function addWatermarks(session: SessionState, part: Part, to: number): void {
  for (const slot of session.layout.slots.keys()) {
    if ((part.lastOf.get(slot) ?? session.reached[slot] ?? 0) < to) addWatermark(session, part, slot, to);
  }
}

function addWatermark(session: SessionState, part: Part, slot: number, position: number): void {
  const { layout, landmark, sender, runtime } = session;
  const { topic, partition } = layout.slots[slot] as PartitionOf;
  const message = watermark(partition, position, landmark, sender, runtime.nowMs());
  addMessage(part, slot, topic, marked(session, message, topic), position);
}

/** Sends one more round of watermarks, soon after the last event, to partitions that are behind the position. */
function sendLastWatermarks(session: SessionState): void {
  const { runtime, reached } = session;
  if (session.cancelTimer || session.mode !== 'working') return;
  if (reached.every((at) => at >= session.position)) return;
  const dueMs = session.watermarksMs + WATERMARKS_EVERY_MS - runtime.monotonicMs();
  session.cancelTimer = runtime.setTimer(Math.max(1, dueMs), () => {
    session.cancelTimer = null;
    inTurn(session, async () => {
      if (session.mode === 'working') await send(session, emptyPart(), session.position);
    }).then(
      () => sendLastWatermarks(session),
      (error: unknown) => fail(session, error),
    );
  });
}
