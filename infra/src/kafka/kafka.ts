import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import type { KafkaSettings } from '../adapters.settings.ts';
import { connectionFault, FINAL_FAULTS, NoConnection } from '../runtime/connectionFault.ts';
import type { Log } from '../runtime/log.ts';
import { isServerAway, type Outage, sharedOutage } from '../runtime/outage.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type KafkaFetcher, kafkaFetcher } from './fetch.ts';
import { kafkaLogCreator } from './log.ts';
import { patchKafkajs } from './patch.ts';
import { type KafkaProducer, kafkaProducer } from './producer.ts';
import { deleteTopics, type KafkaTopic, type PreparedTopics, prepareTopics, topicNames } from './topics.ts';

/** The Kafka client: kafkajs with its faults mended, our log and our limits. It holds no connection of its own. */
export type KafkaClient = {
  /** For administration, and for consumers in groups. */
  readonly kafkajs: Kafka;
  /** What is found out about the brokers by other calls than these is told here. */
  readonly outage: Outage;
  /**
   * Makes the topics that are missing, waits until each partition has a leader, and compares partition counts. Throws
   * `KafkaUnusable` for what repeating cannot mend, anything else for what it may.
   */
  prepareTopics(topics: readonly KafkaTopic[]): Promise<PreparedTopics>;
  /** The names of all topics that there are. */
  topicNames(): Promise<string[]>;
  deleteTopics(names: readonly string[]): Promise<void>;
  /** Reads partitions of these topics from offsets that are known. */
  fetcher(topics: readonly KafkaTopic[]): Promise<KafkaFetcher>;
  /** Sends to partitions, until `over` is aborted. */
  producer(over: AbortSignal): Promise<KafkaProducer>;
};

/** Nothing is connected yet; what the brokers speak is checked with each connection. */
export function openKafka(
  settings: KafkaSettings,
  options: { clientId: string; log?: Log | undefined; runtime: Runtime },
): KafkaClient {
  const { clientId, log, runtime } = options;
  patchKafkajs();
  const outage = sharedOutage({
    log,
    runtime,
    server: `Kafka (${settings.brokers.join(',')})`,
    meaning: MEANING,
    reasonOf: (error) => connectionFault('KAFKA_BROKERS', error, addressOf(settings)).message,
    isFinal: (error) => FINAL_FAULTS.has(connectionFault('KAFKA_BROKERS', error, addressOf(settings)).kind),
    settleMs: CONNECT_MS,
  });
  const explained = <T>(work: Promise<T>) => explainedCall(settings, outage, work);
  const kafkajs = new Kafka({
    clientId,
    brokers: [...settings.brokers],
    ssl: settings.ssl,
    ...(settings.sasl ? { sasl: settings.sasl as NonNullable<KafkaConfig['sasl']> } : {}),
    connectionTimeout: CONNECT_MS,
    authenticationTimeout: CONNECT_MS,
    requestTimeout: REQUEST_MS,
    retry: RETRY,
    logLevel: logLevel.INFO,
    logCreator: kafkaLogCreator(log, runtime),
  });
  return {
    kafkajs,
    outage,
    prepareTopics: (topics) =>
      explained(prepareTopics(kafkajs, topics, { replication: settings.replication, runtime, log })),
    topicNames: () => explained(topicNames(kafkajs, runtime)),
    deleteTopics: (names) => explained(deleteTopics(kafkajs, names, runtime)),
    fetcher: (topics) => explained(kafkaFetcher(kafkajs, topics, runtime)),
    producer: (over) => explained(kafkaProducer({ kafka: kafkajs, retry: RETRY, runtime, over })),
  };
}

/** What kafkajs throws where no connection comes about, in words for whoever set the addresses; anything else as it is. */
async function explainedCall<T>(settings: KafkaSettings, outage: Outage, work: Promise<T>): Promise<T> {
  try {
    const result = await work;
    outage.answered();
    return result;
  } catch (error) {
    if (!(error instanceof Error) || !NO_CONNECTION.test(error.name)) {
      if (isServerAway(error)) outage.failed(error);
      throw error;
    }
    const fault = new NoConnection('KAFKA_BROKERS', error, addressOf(settings));
    // Repetitions also end where the brokers answer, such as with a topic that has no leader yet.
    if (fault.kind !== 'unknown') outage.failed(error);
    throw fault;
  }
}

const addressOf = ({ ssl, brokers }: KafkaSettings) => ({ tls: ssl, shown: brokers.join(',') });

const MEANING =
  'engines and market data read the event store instead, and nobody else gets events; orders and everything else go on, and nothing is lost: the topics are filled as soon as it answers; it is tried again all the time';

/** kafkajs' names for it. */
const NO_CONNECTION =
  /^KafkaJS(NumberOfRetriesExceeded|Connection|ConnectionClosed|SASLAuthentication)(Error)?$/;

/** Milliseconds for a connection and for signing in: a second, kafkajs's default, is short for a loaded machine. */
const CONNECT_MS = 5_000;
/** Milliseconds for an answer to any one request, beyond what the request itself says it may wait. */
const REQUEST_MS = 10_000;
/**
 * Repetitions inside kafkajs bridge a change of leader (some 3 s in all); a longer outage is the caller's, who has a
 * state to show and a way to stop. Written out because kafkajs has other defaults when it is tested.
 */
const RETRY = { initialRetryTime: 100, multiplier: 2, factor: 0.2, maxRetryTime: 1_000, retries: 5 };
