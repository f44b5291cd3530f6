import { eventCodec, type Topic } from '@brokerx/contracts';
import {
  createLog,
  createMetrics,
  noTelemetry,
  postgresEventStore,
  postgresLeases,
  postgresSnapshots,
  realRuntime as runtime,
  storeFeed,
} from '@brokerx/infra';
import { openKafka } from '@brokerx/infra/kafka/kafka.ts';
import { relayMetrics } from '../src/relay/metrics.ts';
import { startRelay } from '../src/relay/topics.ts';

/** A relay and nothing else, to be killed: `relayProcess.ts <database URL> <brokers> <prefix of the topics> <owner>`. */
const [databaseUrl = '', brokers = '', prefix = '', owner = ''] = process.argv.slice(2);
const log = createLog({ name: owner, level: 'fatal' });
const store = await postgresEventStore({ databaseUrl, codec: eventCodec(), runtime, log });
const feed = storeFeed({ store, runtime, log });
startRelay({
  kafka: openKafka(
    { brokers: brokers.split(','), ssl: false, replication: 1 },
    { clientId: owner, log, runtime },
  ),
  store,
  feed,
  leases: await postgresLeases({ databaseUrl, owner, runtime, log }),
  snapshots: await postgresSnapshots({ databaseUrl, store, runtime, log }),
  runtime,
  log,
  metrics: relayMetrics(createMetrics('relay', '0'), runtime, feed.head),
  telemetry: noTelemetry(runtime),
  names: (topic: Topic) => `${prefix}.${topic}`,
});
