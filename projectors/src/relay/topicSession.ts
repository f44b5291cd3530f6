import type { Event } from '@brokerx/contracts';
import type {
  Batch,
  EventStore,
  Feed,
  KafkaProducer,
  Landmark,
  Log,
  OutgoingMessage,
  Recorded,
  Runtime,
  Telemetry,
} from '@brokerx/infra';
import { heardElsewhere, mayFail } from '@brokerx/infra';
import type { RelayMetrics } from './metrics.ts';
import type { Place, TopicLayout } from './topicLayout.ts';
import { bytesOf, eventMessage, incomplete, type Sender, textOf, watermark } from './topicMessages.ts';
import type { Withholding } from './topicWithholding.ts';

/**
 * One relay at work: it sends all events beyond the floors to the topics, in the store's order, one request at a time. So nothing
 * above a position is sent to a partition before everything up to it is acknowledged there. Events that are appended while a
 * request is on its way go out together in the next one.
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

/**
 * Bounds of one request: some 20 ms of a broker's work, and memory for this request and the next. The time in which kafkajs joins
 * the messages of a partition grows with the square of their number; at this number it is 1 ms.
 */
const SEND_MESSAGES_MAX = 2_000;
const SEND_BYTES_MAX = 1024 * 1024;
/** Bytes of a request to one partition beside its messages: the batch's head, and a watermark. */
const BATCH_OVERHEAD_BYTES = 1_024;
/** Milliseconds between rounds of watermarks: a reader waits so long at most to learn that a position is reached. */
const WATERMARKS_EVERY_MS = 50;

/** The part of a batch that goes out in one request. */
type Part = {
  messages: Map<string, OutgoingMessage[]>;
  /** The last position for each slot that gets a message. */
  lastOf: Map<number, number>;
  traceparents: string[];
  count: number;
  bytes: number;
};

/** The events that go to any topic. */
export const RELAYED = { categories: ['account', 'book', 'market'] } as const;

export async function startTopicSession(options: Options): Promise<TopicSession> {
  const { store, feed, producer, layout, withheld, floors, epoch, runtime, log, metrics, telemetry } =
    options;
  const sender: Sender = { storeId: store.id, epoch };
  const partBytesMax = Math.min(SEND_BYTES_MAX, options.messageBytesMax - BATCH_OVERHEAD_BYTES);
  const reached = [...floors];
  const failing = Promise.withResolvers<never>();
  heardElsewhere(failing.promise);
  let position = Math.min(...floors);
  let { landmark } = options;
  let watermarksMs = Number.NEGATIVE_INFINITY;
  let cancelTimer: (() => void) | null = null;
  let stopped = false;

  /** Runs one send at a time: the timer's sends and the feed's wait for each other. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const done = turn.then(work);
    turn = mayFail(done, 'whoever has given it hears of it; the next one has its turn');
    return done;
  };

  const send = async (part: Part, to: number): Promise<void> => {
    const isTime = runtime.monotonicMs() - watermarksMs >= WATERMARKS_EVERY_MS;
    if (isTime) addWatermarks(part, to);
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
    if (isTime) watermarksMs = runtime.monotonicMs();
    for (const [slot, last] of part.lastOf) reached[slot] = last;
    position = to;
    metrics.moved(position);
  };

  /** Marks a message of a partition from which events are withheld. */
  const marked = (message: OutgoingMessage, topic: string): OutgoingMessage =>
    withheld.touches({ topic, partition: message.partition }) ? incomplete(message) : message;

  const addWatermarks = (part: Part, to: number): void => {
    layout.slots.forEach(({ topic, partition }, slot) => {
      if ((part.lastOf.get(slot) ?? reached[slot] ?? 0) >= to) return;
      add(part, slot, topic, marked(watermark(partition, to, landmark, sender, runtime.nowMs()), topic), to);
    });
  };

  /** Sends one more round of watermarks, soon after the last event, to partitions that are behind the position. */
  const sendLastWatermarks = (): void => {
    if (cancelTimer || stopped || reached.every((at) => at >= position)) return;
    const dueMs = watermarksMs + WATERMARKS_EVERY_MS - runtime.monotonicMs();
    cancelTimer = runtime.setTimer(Math.max(1, dueMs), () => {
      cancelTimer = null;
      inTurn(async () => {
        if (!stopped) await send(emptyPart(), position);
      }).then(sendLastWatermarks, fail);
    });
  };

  /** The places of an event that still lack it. */
  const missingPlaces = (event: Recorded<Event>): Place[] =>
    layout.placesOf(event).filter((place) => {
      if (event.position <= (reached[place.slot] ?? 0)) return false;
      return !withheld.holds(place, event.position);
    });

  const take = async (batch: Batch<Event>): Promise<void> => {
    let part = emptyPart();
    let last = 0;
    for (const recorded of batch.events) {
      const places = missingPlaces(recorded);
      const text = places.length > 0 ? eventText(recorded) : '';
      for (const place of places) {
        const made = message(recorded, text, place);
        if (typeof made === 'string') {
          await withhold(place, recorded, made);
          continue;
        }
        const bytes = bytesOf(made);
        if (part.count >= SEND_MESSAGES_MAX || (part.count > 0 && part.bytes + bytes > partBytesMax)) {
          // A request may end between two places of one event: the later request passes its position.
          await inTurn(() => send(part, last));
          part = emptyPart();
        }
        add(part, place.slot, place.topic, made, recorded.position);
        part.bytes += bytes;
      }
      if (places.length > 0) part.traceparents.push(recorded.event.traceparent);
      last = recorded.position;
      // The landmark of the floors may be further on than this event.
      if (last > (landmark?.position ?? 0)) landmark = { position: last, commitId: recorded.commitId };
    }
    await inTurn(() => send(part, batch.position));
    sendLastWatermarks();
  };

  const eventText = ({ event }: Recorded<Event>): string | Error => {
    try {
      return textOf(store.codec, event);
    } catch (error) {
      return new Error('it cannot be written as text', { cause: error });
    }
  };

  /** The message of an event, or the reason why it cannot be sent. */
  const message = (
    recorded: Recorded<Event>,
    text: string | Error,
    place: Place,
  ): OutgoingMessage | string => {
    if (typeof text !== 'string') return `${text.message}: ${text.cause}`;
    const made = marked(eventMessage(recorded, text, place, sender), place.topic);
    const bytes = bytesOf(made) + BATCH_OVERHEAD_BYTES;
    if (bytes <= options.messageBytesMax) return made;
    return `it has ${bytes} bytes, the topic takes ${options.messageBytesMax} (max.message.bytes)`;
  };

  const withhold = async (place: Place, event: Recorded<Event>, reason: string): Promise<void> => {
    await withheld.begin(place, event, reason);
    metrics.withheld(withheld.keys().length);
    log.error(
      { topic: place.topic, key: place.key, position: event.position, event: event.event.id, reason },
      'an event cannot be sent: it and all later ones of its key are withheld from this topic',
    );
  };

  const fail = (error: unknown): void => {
    failing.reject(error);
    stopped = true;
  };

  // The first message of every partition announces this epoch: readers then drop what an earlier relay still sends.
  const first = emptyPart();
  layout.slots.forEach(({ topic, partition }, slot) => {
    const at = reached[slot] ?? 0;
    add(first, slot, topic, marked(watermark(partition, at, landmark, sender, runtime.nowMs()), topic), at);
  });
  await producer.send(first.messages);
  metrics.moved(position);

  const subscription = feed.subscribe({
    name: 'relay',
    after: { storeId: store.id, position },
    filter: RELAYED,
    batchEventsMax: SEND_MESSAGES_MAX / 2,
    async handle(batch) {
      try {
        if (stopped) throw new Error('the relay has stopped');
        await take(batch);
      } catch (error) {
        fail(error);
        void subscription.stop();
        throw error;
      }
    },
  });

  return {
    position: () => position,
    failed: failing.promise,
    async stop() {
      stopped = true;
      cancelTimer?.();
      await subscription.stop();
      await turn;
    },
  };
}

const emptyPart = (): Part => ({
  messages: new Map(),
  lastOf: new Map(),
  traceparents: [],
  count: 0,
  bytes: 0,
});

function add(part: Part, slot: number, topic: string, message: OutgoingMessage, position: number): void {
  const messages = part.messages.get(topic);
  if (messages) messages.push(message);
  else part.messages.set(topic, [message]);
  part.lastOf.set(slot, position);
  part.count += 1;
}
