import { type Event, TOPICS, type Topic } from '@brokerx/contracts';
import {
  createLog,
  createMetrics,
  type EventStore,
  type FetchedMessage,
  type KafkaClient,
  type MemoryLeases,
  mayFail,
  memoryLeases,
  memorySnapshots,
  noTelemetry,
  realRuntime as runtime,
  type Snapshots,
  storeFeed,
} from '@brokerx/infra';
import { openKafka } from '@brokerx/infra/kafka/kafka.ts';
import { onTestFinished } from 'vitest';
import { relayMetrics } from '../src/relay/metrics.ts';
import { topicLayout } from '../src/relay/topicLayout.ts';
import { type Relay, startRelay } from '../src/relay/topics.ts';

/** Topics of one test at a real broker, and relays that fill them. */
export const log = createLog({ name: 'test-relay', level: 'silent' });

function kafkaAt(brokers: string, clientId = 'test'): KafkaClient {
  return openKafka({ brokers: brokers.split(','), ssl: false, replication: 1 }, { clientId, log, runtime });
}

export type World = ReturnType<typeof topicsWorld>;

let worlds = 0;

export function topicsWorld({ store, brokers }: { store: EventStore<Event>; brokers: string }) {
  const prefix = `test-${process.pid}-${runtime.nowMs()}-${++worlds}`;
  const nameOf = (topic: Topic) => `${prefix}.${topic}`;
  const layout = topicLayout(nameOf);
  const kafka = kafkaAt(brokers);
  const rows: MemoryLeases = new Map();
  const snapshots = memorySnapshots({ store });
  onTestFinished(async () => {
    const admin = kafka.kafkajs.admin();
    await mayFail(admin.connect(), 'the broker may be away: then its topics are its own');
    await mayFail(
      admin.deleteTopics({ topics: layout.topics.map(({ name }) => name) }),
      'they may never have been made',
    );
    await admin.disconnect();
  });
  return { prefix, nameOf, layout, kafka, rows, snapshots, store };
}

export type RunningRelay = Relay & { metrics: ReturnType<typeof createMetrics> };

/** A relay of this world; `through` may put something between it and Kafka. */
export function relayIn(
  world: World,
  options: {
    through?: (kafka: KafkaClient) => KafkaClient;
    owner?: string;
    ttlMs?: number;
    rows?: MemoryLeases;
    snapshots?: Snapshots;
    checkEveryMs?: number;
    store?: EventStore<Event>;
  } = {},
): RunningRelay {
  const { through = (kafka) => kafka, owner = 'one', ttlMs, rows = world.rows, checkEveryMs } = options;
  const store = options.store ?? world.store;
  const feed = storeFeed({ store, runtime, log });
  const leases = memoryLeases({ rows, owner, runtime, ...(ttlMs ? { ttlMs } : {}) });
  const metrics = createMetrics('test', '0');
  const relay = startRelay({
    kafka: through(world.kafka),
    store,
    feed,
    leases,
    snapshots: options.snapshots ?? world.snapshots,
    runtime,
    log,
    metrics: relayMetrics(metrics, runtime, feed.head),
    telemetry: noTelemetry(runtime),
    names: world.nameOf,
    ...(checkEveryMs ? { checkEveryMs } : {}),
  });
  const stop = async () => {
    await relay.stop();
    await leases.close();
    await feed.close();
  };
  onTestFinished(stop);
  return { ...relay, metrics, stop };
}

export type Message = {
  topic: Topic;
  partition: number;
  key: string | null;
  value: string;
  headers: FetchedMessage['headers'];
  timestampMs: number;
};

/** Every message of every topic, by partition in order. */
export async function readTopics(world: Pick<World, 'kafka' | 'layout' | 'nameOf'>): Promise<Message[]> {
  const fetcher = await world.kafka.fetcher(world.layout.topics);
  try {
    const bounds = await fetcher.bounds(world.layout.topics);
    const found = new Map<string, FetchedMessage[]>();
    let open = bounds.map(({ first, ...rest }) => ({ ...rest, offset: first }));
    for (;;) {
      open = open.filter(({ offset, next }) => offset < next);
      if (open.length === 0) break;
      for (const { topic, partition, messages } of await fetcher.fetch(open, {
        waitMs: 500,
        bytesMax: 2 ** 24,
      })) {
        const at = open.find((each) => each.topic === topic && each.partition === partition);
        const last = messages.at(-1);
        if (!at || !last) continue;
        at.offset = last.offset + 1n;
        found.set(`${topic}/${partition}`, [...(found.get(`${topic}/${partition}`) ?? []), ...messages]);
      }
    }
    return (Object.keys(TOPICS) as Topic[]).flatMap((topic) =>
      Array.from({ length: TOPICS[topic].partitions }, (_, partition) =>
        (found.get(`${world.nameOf(topic)}/${partition}`) ?? []).map(
          ({ key, value, headers, timestampMs }) => ({
            topic,
            partition,
            key: key && String(key),
            value: String(value),
            headers,
            timestampMs,
          }),
        ),
      ).flat(),
    );
  } finally {
    await fetcher.close();
  }
}

export const isWatermark = ({ headers }: Message): boolean => headers.type === 'watermark';
const position = ({ headers }: Message): number => Number(headers.position);
const epoch = ({ headers }: Message): number => Number(headers.epoch);
export const partitionOfMessage = ({ topic, partition }: Message): string => `${topic}/${partition}`;

/**
 * What a reader takes, by the rules of docs/topics.md: of its store, not of a lower epoch than one seen, events above the
 * position reached. Beside it, where each partition stands.
 */
export function taken(
  messages: readonly Message[],
  storeId: string,
): { events: Message[]; reached: Map<string, number> } {
  const events: Message[] = [];
  const reached = new Map<string, number>();
  const epochs = new Map<string, number>();
  for (const message of messages) {
    const partition = partitionOfMessage(message);
    if (message.headers.store !== storeId || epoch(message) < (epochs.get(partition) ?? 0)) continue;
    epochs.set(partition, epoch(message));
    if (position(message) <= (reached.get(partition) ?? 0)) continue;
    reached.set(partition, position(message));
    if (!isWatermark(message)) events.push(message);
  }
  return { events, reached };
}

/** `topic/partition key position` of every event, as the store says it must be: worked out without the relay. */
export async function placesInStore(store: EventStore<Event>): Promise<string[]> {
  const places: string[] = [];
  for (const { stream, symbol, position: at } of (await store.readAll(0, {}, 1_000_000)).events) {
    const [category = '', ...rest] = stream.split('-');
    const key = rest.join('-');
    const put = (topic: Topic, by: string) =>
      places.push(`${topic}/${fnv1a(by) % TOPICS[topic].partitions} ${by} ${at}`);
    if ((category === 'account' || category === 'market') && symbol !== null) put('brokerx.orders', symbol);
    if (category === 'book' || category === 'market') put('brokerx.market', key);
    if (category === 'account') put('brokerx.accounts', key);
  }
  return places.sort();
}

export const placesOf = (messages: readonly Message[]): string[] =>
  messages.map((message) => `${partitionOfMessage(message)} ${message.key} ${position(message)}`).sort();

function fnv1a(text: string): number {
  let hash = 2_166_136_261n;
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 16_777_619n) % 2n ** 32n;
  return Number(hash);
}

/** Whether positions never decrease in a partition within an epoch. */
export function isOrdered(messages: readonly Message[]): boolean {
  const last = new Map<string, number>();
  return messages.every((message) => {
    const partition = `${partitionOfMessage(message)} ${epoch(message)}`;
    const before = last.get(partition) ?? 0;
    last.set(partition, position(message));
    return position(message) >= before;
  });
}
