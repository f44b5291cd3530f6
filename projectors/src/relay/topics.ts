import type { Event } from '@brokerx/contracts';
import {
  type EventStore,
  type Feed,
  heardElsewhere,
  isOfThisPast,
  type KafkaClient,
  type KafkaFetcher,
  type KafkaProducer,
  KafkaUnusable,
  type Lease,
  type Leases,
  type Log,
  type Runtime,
  type Snapshots,
  sleep,
  type Telemetry,
} from '@brokerx/infra';
import { isLeaderless } from '@brokerx/infra/kafka/leaderless.ts';
import { isServerAway, unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import { aborted } from '@brokerx/infra/runtime/waiting.ts';
import type { RelayMetrics } from './metrics.ts';
import { readFloors, type TopicFloors } from './topicFloors.ts';
import {
  madeAnewBy,
  newestOf,
  PLAIN_NAMES,
  type TopicLayout,
  type TopicNames,
  topicLayout,
} from './topicLayout.ts';
import { RELAYED, startTopicSession } from './topicSession.ts';
import { withholding } from './topicWithholding.ts';

/**
 * The relay: the projection of the event store into Kafka's topics. One process has the role at a time, by lease. The relay's
 * position is read from the topics themselves, so a crash at any moment loses nothing. After every failure it begins anew, with a
 * lease of a higher epoch and a new producer, from what the topics have.
 */
export type Relay = {
  /** The topics have every event up to here; undefined while another process is the relay, or none is. */
  position(): number | undefined;
  /** `ok`, also in a process that stands by, or the trouble. Without a relay, readers of topics read the store. */
  state(): string;
  stop(): Promise<void>;
};

export type RelayOptions = {
  kafka: KafkaClient;
  store: EventStore<Event>;
  feed: Feed<Event>;
  leases: Leases;
  snapshots: Snapshots;
  runtime: Runtime;
  log: Log;
  metrics: RelayMetrics;
  telemetry: Telemetry;
  /** Names of the topics at the brokers. */
  names?: TopicNames;
  /** Milliseconds between looks whether the topics are still complete. */
  checkEveryMs?: number;
};

const LEASE = 'relay';
/** Milliseconds until the next try; longer where a person has to act first. */
const RETRY_MS = 1_000;
const RETRY_UNUSABLE_MS = 10_000;
const CHECK_EVERY_MS = 10_000;
/** Milliseconds for which leaders of partitions may be missing without a line in the log. */
const LOG_AFTER_MS = 10_000;

export function startRelay(options: RelayOptions): Relay {
  const { leases, runtime, log, metrics } = options;
  const stopping = new AbortController();
  let state = () => 'ok';
  let position: () => number | undefined = () => undefined;
  /** Readers ignore epochs up to this one. */
  let pastEpoch = 0;

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const lease = await leases.acquire(LEASE, stopping.signal);
      if (!lease) continue;
      if (lease.epoch <= pastEpoch) {
        await lease.release();
        continue;
      }
      metrics.leads(true);
      try {
        await lead(options, lease, stopping.signal, {
          past: (epoch) => {
            pastEpoch = epoch;
          },
          state: (now) => {
            state = now;
          },
          works: (at) => {
            position = at;
          },
        });
      } catch (error) {
        metrics.failed();
        state = () => stateOf(error);
        // It begins by waiting for leaders, and tells if they stay away.
        log[isLeaderless(error) ? 'debug' : unlessOutage(error, 'warn')](
          { err: error, epoch: lease.epoch },
          'the relay stopped; it begins anew from the topics',
        );
        await sleep(runtime, RETRY_MS, stopping.signal);
      }
      position = () => undefined;
      if (lease.lost.aborted) {
        state = () => 'ok';
        metrics.leads(false);
      }
      await lease
        .release()
        .catch((err: unknown) =>
          log[unlessOutage(err, 'warn')]({ err }, 'the lease of the relay was not freed'),
        );
    }
  };

  const ended = run();
  return {
    position: () => position(),
    state: () => state(),
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

type Tell = {
  state(now: () => string): void;
  works(position: () => number): void;
  past(epoch: number): void;
};

/** Runs the relay for as long as the lease is held and nothing fails. */
async function lead(options: RelayOptions, lease: Lease, stop: AbortSignal, tell: Tell): Promise<void> {
  const { store, snapshots, log, metrics } = options;
  const over = AbortSignal.any([stop, lease.lost]);
  tell.state(() => 'Kafka has not answered yet');
  const ready = await prepared(options, lease.epoch, over, tell);
  if (!ready) return;
  const { layout, fetcher, floors, producer, messageBytesMax } = ready;
  try {
    if (floors.epoch >= lease.epoch) {
      // The database of the leases began anew, and readers listen to higher epochs only: each lease is one higher.
      log.warn({ epoch: lease.epoch, found: floors.epoch }, 'relays of higher epochs were here before');
      return tell.past(floors.epoch);
    }
    if (floors.foreign) log.warn('the topics hold messages of another event store; readers leave them out');
    const withheld = await withholding(snapshots, { storeId: store.id, topics: layout.topics });
    metrics.withheld(withheld.keys().length);
    const session = await startTopicSession({
      ...options,
      layout,
      producer,
      withheld,
      messageBytesMax,
      floors: floors.positions,
      landmark: floors.landmark,
      epoch: lease.epoch,
    });
    tell.works(session.position);
    log.info({ epoch: lease.epoch, position: session.position() }, 'the relay works');
    await removeTopics(options, ready.ofAnotherPast);
    try {
      tell.state(() => withheldState(withheld.keys()));
      await Promise.race([
        session.failed,
        watch(fetcher, layout, floors, { ...options, over }),
        aborted(over),
      ]);
    } finally {
      await session.stop();
    }
  } finally {
    await closed(ready);
  }
  // Whoever holds leases tells of the loss.
  if (!stop.aborted) log.debug({ epoch: lease.epoch }, 'the lease of the relay was lost');
}

/**
 * Opens the newest generation of the topics. Where it is of another past, because the store was put back to an earlier state,
 * readers would take new events for old ones: so the next generation is made, and filled from the store.
 */
async function opened(options: RelayOptions, epoch: number): Promise<Omit<Prepared, 'producer'>> {
  const { kafka, store, log, names = PLAIN_NAMES } = options;
  const open = async (layout: TopicLayout) => {
    const { messageBytesMax } = await kafka.prepareTopics(layout.topics);
    const fetcher = await kafka.fetcher(layout.topics);
    try {
      const floors = await readFloors(fetcher, layout, { storeId: store.id, epoch });
      const rests = { position: Math.max(...floors.positions), landmark: floors.landmark };
      const isOurs = await isOfThisPast(store, rests, RELAYED);
      return { layout, messageBytesMax, fetcher, floors, isOurs };
    } catch (error) {
      await fetcher.close();
      throw error;
    }
  };
  for (let generation = newestOf(await kafka.topicNames(), names); ; generation++) {
    const { isOurs, ...topics } = await open(topicLayout(names, generation));
    if (isOurs) return { ...topics, ofAnotherPast: madeAnewBy(generation, names) };
    await topics.fetcher.close();
    const about = { generation, positions: topics.floors.positions };
    log.warn(
      about,
      'the topics are of another past of the event store: their next generation is made and filled',
    );
  }
}

/** Deletes topics of another past, so that their readers notice. Where the brokers forbid it, the topics stay. */
async function removeTopics({ kafka, log }: RelayOptions, topics: readonly string[]): Promise<void> {
  try {
    const existing = topics.length > 0 ? await kafka.topicNames() : [];
    await kafka.deleteTopics(topics.filter((name) => existing.includes(name)));
  } catch (err) {
    log.warn({ err, topics }, 'topics of another past could not be deleted: nothing fills them any more');
  }
}

/** Prepares all that needs Kafka, for as long as that takes; null where the role ends before. */
async function prepared(
  options: RelayOptions,
  epoch: number,
  over: AbortSignal,
  tell: Tell,
): Promise<Prepared | null> {
  const { kafka, runtime, log } = options;
  const attempt = async (): Promise<Prepared> => {
    const topics = await opened(options, epoch);
    try {
      return { ...topics, producer: await kafka.producer(over) };
    } catch (error) {
      await topics.fetcher.close();
      throw error;
    }
  };
  const ended = aborted(over);
  let loggedState = '';
  let begunMs = runtime.monotonicMs();
  while (!over.aborted) {
    const attempting = attempt();
    try {
      const ready = await Promise.race([attempting, ended]);
      if (ready) return ready;
      // Kafkajs may take half a minute to notice that a broker is away: the role has ended, so nothing waits for it.
      heardElsewhere(attempting.then(closed));
    } catch (err) {
      const isUnusable = err instanceof KafkaUnusable;
      const now = stateOf(err);
      tell.state(() => now);
      // A new topic, or a broker that has just started, often has no leader yet: that is not worth a line in the log.
      const isLong = runtime.monotonicMs() - begunMs >= LOG_AFTER_MS;
      if (now !== loggedState && (isUnusable || isLong)) {
        log[isUnusable ? 'error' : unlessOutage(err, 'warn')]({ err }, 'the relay waits for Kafka');
        loggedState = now;
      }
      // Without a broker there are no leaders either: their time begins when a broker answers.
      if (isServerAway(err)) begunMs = runtime.monotonicMs();
      await sleep(runtime, isUnusable ? RETRY_UNUSABLE_MS : RETRY_MS, over);
    }
  }
  return null;
}

type Prepared = {
  layout: TopicLayout;
  messageBytesMax: number;
  fetcher: KafkaFetcher;
  floors: TopicFloors;
  producer: KafkaProducer;
  /** Names of the topics that these replace. */
  ofAnotherPast: readonly string[];
};

const closed = async ({ producer, fetcher }: Pick<Prepared, 'producer' | 'fetcher'>): Promise<void> => {
  await Promise.all([producer.close(), fetcher.close()]);
};

/** Checks now and then that the topics exist and have lost no messages; rejects where they have. */
async function watch(
  fetcher: KafkaFetcher,
  layout: TopicLayout,
  { next }: TopicFloors,
  options: RelayOptions & { over: AbortSignal },
): Promise<void> {
  const { runtime, over, checkEveryMs = CHECK_EVERY_MS } = options;
  while (!over.aborted) {
    await sleep(runtime, checkEveryMs, over);
    if (over.aborted) return;
    const bounds = await fetcher.bounds(layout.topics);
    if (bounds.some((each, slot) => each.next < (next[slot] ?? 0n))) {
      throw new Error('the topics have lost messages: they are filled again');
    }
  }
}

const stateOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const withheldState = (keys: readonly string[]): string =>
  keys.length === 0 ? 'ok' : `an event could not be sent; withheld since: ${keys.join(', ')}`;
