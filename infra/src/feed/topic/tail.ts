import type { EventStore, Filter } from '../../eventStore/eventStore.ts';
import type { KafkaClient } from '../../kafka/kafka.ts';
import type { Log } from '../../runtime/log.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { FeedTopic, Gathered, Places } from '../division.ts';
import { topicFetching } from './fetching.ts';
import { topicLateness } from './lateness.ts';
import { type TopicWindow, topicWindow, type WindowReader, windowReader } from './window.ts';

/**
 * The live events of a topic for a feed's consumers. Consumers catch up from the store; they get the topic's events while
 * these continue exactly where the consumer is, and in time, and else go back to the store. So only the newest messages of
 * the topic are ever needed, and the topic may be lost.
 */
export type TopicTail<E> = {
  join(reader: TopicTailReader): TopicReader<E>;
  /** Whether the topic is being read and follows the store closely enough. */
  isInTime(): boolean;
  close(): Promise<void>;
};

export type TopicTailReader = {
  filter: Filter;
  partitions: readonly number[];
  /** The positions that the reader has reached. */
  places: () => Places;
  /** Called when there are new events, or when the topic can no longer serve the reader. */
  onAdvance: () => void;
};
type Reader<E> = WindowReader<E> & Pick<TopicTailReader, 'places' | 'onAdvance'>;

export type TopicReader<E> = {
  /** The topic's events after the places; null if the store has to be read instead. */
  since(places: Places, eventsMax: number): Gathered<E> | null;
  leave(): void;
};

/** Events in the window, and bytes of their text: some 30 MB of memory at most. */
const WINDOW_EVENTS_MAX = 20_000;
const WINDOW_BYTES_MAX = 16 * 1024 * 1024;
/** Milliseconds for which the topic is still read after its last reader has left, because it may come back at once. */
const LINGER_MS = 10_000;

export function topicTail<E>(options: {
  store: EventStore<E>;
  kafka: Pick<KafkaClient, 'fetcher' | 'topicNames' | 'outage'>;
  topic: FeedTopic;
  runtime: Runtime;
  log?: Log | undefined;
  windowEventsMax?: number | undefined;
  lateAfterMs?: number | undefined;
  paceMs?: number | undefined;
}): TopicTail<E> {
  const { store, topic, runtime, log, windowEventsMax = WINDOW_EVENTS_MAX } = options;
  const readers = new Set<Reader<E>>();
  const tell = () => {
    for (const { onAdvance } of readers) onAdvance();
  };
  const window = topicWindow({
    storeId: store.id,
    codec: store.codec,
    partitions: topic.partitions,
    eventsMax: windowEventsMax,
    bytesMax: WINDOW_BYTES_MAX,
    onGap: (partition, why) =>
      log?.info(
        { topic: topic.name, partition, why },
        'a partition begins anew: the store has what may lack',
      ),
  });
  /** Partitions that readers need; after the last reader has left, its partitions. */
  let wanted: readonly number[] = [];
  let reading: { isInTime(): boolean; stop(): Promise<void> } | null = null;
  let ending: Promise<void> = Promise.resolve();
  let cancelEnd: (() => void) | null = null;
  const tellState = toldState(options);
  /** Fetching waits for this while the window is full; it is resolved when a reader takes events. */
  let taking: PromiseWithResolvers<void> | null = null;
  const taken = () => {
    taking?.resolve();
    taking = null;
  };

  const makeRoom = async (): Promise<void> => {
    window.forget(lowestPlaces(readers, topic.partitions));
    while (window.isFull() && !somebodyWaits(readers, window)) {
      taking ??= Promise.withResolvers();
      await taking.promise;
      window.forget(lowestPlaces(readers, topic.partitions));
    }
    // Slow readers must not hold up the others: they go back to the store.
    if (window.isFull()) window.dropOldest();
  };

  const read = () => {
    const lateness = topicLateness({
      ...options,
      reached: () => window.reached(wanted),
      isHeld: () => taking !== null,
      onChange(state) {
        tellState(state);
        tell();
      },
    });
    const session = topicFetching({
      ...options,
      wanted: () => wanted,
      onBreak(partition) {
        window.beginAnew(partition);
        tell();
      },
      onEnded: lateness.beginAnew,
      async onMessages(found) {
        for (const { partition, messages } of found) window.put(partition, messages);
        lateness.moved();
        tell();
        await makeRoom();
      },
    });
    return {
      isInTime: lateness.isInTime,
      async stop() {
        lateness.stop();
        const stopped = session.stop();
        taken();
        await stopped;
      },
    };
  };

  const end = () => {
    const stopped = reading?.stop();
    reading = null;
    if (stopped) ending = Promise.all([ending, stopped]).then(() => undefined);
  };
  /** Adapts the reading to the readers' partitions. */
  const onReadersChange = () => {
    taken();
    cancelEnd?.();
    cancelEnd = null;
    if (readers.size === 0) {
      cancelEnd = runtime.setTimer(LINGER_MS, end);
      return;
    }
    wanted = [...new Set(Array.from(readers, ({ partitions }) => partitions).flat())].sort((a, b) => a - b);
    reading ??= read();
  };

  const since = (reader: Reader<E>, places: Places, eventsMax: number): Gathered<E> | null => {
    taken();
    if (!reading?.isInTime()) return null;
    try {
      return window.gather(reader, places, eventsMax);
    } catch (err) {
      log?.error(
        { err, topic: topic.name },
        'messages of the topic cannot be decoded: the event store is read',
      );
      for (const partition of reader.partitions) window.beginAnew(partition);
      return null;
    }
  };

  return {
    join({ filter, partitions, places, onAdvance }) {
      const reader = { ...windowReader(filter, partitions, store.codec), places, onAdvance };
      readers.add(reader);
      onReadersChange();
      return {
        since: (after, eventsMax) => since(reader, after, eventsMax),
        leave() {
          if (readers.delete(reader)) onReadersChange();
        },
      };
    },
    isInTime: () => reading?.isInTime() ?? false,
    async close() {
      readers.clear();
      cancelEnd?.();
      end();
      await ending;
    },
  };
}

/** Tells what is read; during an outage of the brokers that is what its lines say. */
function toldState(options: { kafka: Pick<KafkaClient, 'outage'>; topic: FeedTopic; log?: Log | undefined }) {
  const { kafka, topic, log } = options;
  /** That the store is read: then the end of it is told, too. At the start it is. */
  let isStoreTold = true;
  return (state: keyof typeof READ_FROM): void => {
    if (state === 'late') isStoreTold = !kafka.outage.isAway();
    const level = state === 'late' ? 'warn' : 'info';
    log?.[isStoreTold ? level : 'debug']({ topic: topic.name }, READ_FROM[state]);
    isStoreTold = state === 'late' && isStoreTold;
  };
}

const READ_FROM = {
  late: 'the topic is late or away: the event store is read',
  'in time': 'the topic is in time: it is read instead of the event store',
};

/** What every reader of a partition has of it. */
function lowestPlaces<E>(readers: ReadonlySet<Reader<E>>, partitions: number): Places {
  const low = Array.from({ length: partitions }, () => Number.POSITIVE_INFINITY);
  for (const { partitions: needed, places } of readers) {
    const at = places();
    for (const partition of needed) low[partition] = Math.min(low[partition] ?? 0, at[partition] ?? 0);
  }
  return low;
}

/** Whether a reader has taken all there is, or nobody takes anything from here: then nobody is to be waited for. */
function somebodyWaits<E>(readers: ReadonlySet<Reader<E>>, window: TopicWindow<E>): boolean {
  const following = [...readers].filter((reader) => window.covers(reader, reader.places()));
  return following.length === 0 || following.some((reader) => window.hasNothingFor(reader, reader.places()));
}
