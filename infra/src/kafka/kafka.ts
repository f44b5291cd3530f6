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

/** The Kafka client: kafkajs with its faults mended, our log and our limits. It has no connection until it is used. */
export type KafkaClient = {
  /** For administration, and for consumers in groups. */
  readonly kafkajs: Kafka;
  /** The brokers' outage: users that call kafkajs themselves report answers and failures here. */
  readonly outage: Outage;
  /**
   * Creates missing topics, waits until each partition has a leader, and compares partition counts. Throws `KafkaUnusable` for
   * what only a person can mend, and any other error for what a repetition may mend.
   */
  prepareTopics(topics: readonly KafkaTopic[]): Promise<PreparedTopics>;
  /** The names of all topics at the brokers. */
  topicNames(): Promise<string[]>;
  deleteTopics(names: readonly string[]): Promise<void>;
  /** Opens a reader of these topics' partitions from given offsets. */
  fetcher(topics: readonly KafkaTopic[]): Promise<KafkaFetcher>;
  /** Opens a producer that sends until `stop` is aborted. */
  producer(stop: AbortSignal): Promise<KafkaProducer>;
};

/** Makes the client without connecting. Each connection checks that the brokers' versions are supported. */
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
  const explain = <T>(work: Promise<T>) => explainErrors(settings, outage, work);
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
      explain(prepareTopics(kafkajs, topics, { replication: settings.replication, runtime, log })),
    topicNames: () => explain(topicNames(kafkajs, runtime)),
    deleteTopics: (names) => explain(deleteTopics(kafkajs, names, runtime)),
    fetcher: (topics) => explain(kafkaFetcher(kafkajs, topics, runtime)),
    producer: (stop) => explain(kafkaProducer({ kafka: kafkajs, retry: RETRY, runtime, stop })),
  };
}

/** Rethrows kafkajs's connection errors in words for the person who set the addresses; other errors pass unchanged. */
async function explainErrors<T>(settings: KafkaSettings, outage: Outage, work: Promise<T>): Promise<T> {
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
    // kafkajs also runs out of repetitions when the brokers do answer, such as while a topic has no leader.
    if (fault.kind !== 'unknown') outage.failed(error);
    throw fault;
  }
}

const addressOf = ({ ssl, brokers }: KafkaSettings) => ({ tls: ssl, shown: brokers.join(',') });

const MEANING =
  'engines and market data read the event store instead, and nobody else gets events; orders and everything else go on, and nothing is lost: the topics are filled as soon as it answers; it is tried again all the time';

/** The names of kafkajs's connection errors. */
const NO_CONNECTION =
  /^KafkaJS(NumberOfRetriesExceeded|Connection|ConnectionClosed|SASLAuthentication)(Error)?$/;

/** Milliseconds for a connection, and for signing in: kafkajs's default of a second is short on a loaded machine. */
const CONNECT_MS = 5_000;
/** Milliseconds for the reply to a request, beyond the wait that the request itself allows. */
const REQUEST_MS = 10_000;
/**
 * Repetitions inside kafkajs bridge a change of leader (some 3 s in all). Callers handle longer outages: they can show their
 * state and stop. Every value is set because kafkajs has other defaults when it detects a test run.
 */
const RETRY = { initialRetryTime: 100, multiplier: 2, factor: 0.2, maxRetryTime: 1_000, retries: 5 };
