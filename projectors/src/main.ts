import { eventCodec, feedTopic } from '@brokerx/contracts';
import {
  calmAppends,
  databaseDisk,
  EXIT_FAILED,
  leasesAfter,
  openEventStore,
  openFeed,
  openHotStore,
  openTopics,
  postgresLeases,
  postgresSnapshots,
  runMain,
  startHealthServer,
  startProcess,
  startSignal,
} from '@brokerx/infra';
import packageJson from '../package.json' with { type: 'json' };
import { readConfig } from './config.ts';
import { startMarketData } from './marketData/marketData.ts';
import { marketDataMetrics } from './marketData/metrics.ts';
import { relayMetrics } from './relay/metrics.ts';
import { startRelay } from './relay/topics.ts';
import { projectionMetrics } from './run/metrics.ts';
import { type Projecting, startProjecting } from './run/project.ts';
import { allProjections } from './tables/allProjections.ts';
import { openReadModels, readModelsState } from './tables/readModels.ts';

/** Milliseconds between two reads: below the pace of the flushes, so that reading adds little to a reader's wait. */
const READ_EVERY_MS = 20;
/** Milliseconds between two reads where the relay reads, too: orders wait for it before they are matched. */
const READ_FOR_RELAY_EVERY_MS = 10;

/** Read models, market data and Kafka's topics, from the event store's one order. */
await runMain(async () => {
  const config = readConfig();
  const { settings, readDatabaseUrl, instance } = config;
  const { databaseUrl } = settings;
  const { runtime, log, shutdown, metrics, telemetry } = await startProcess({
    service: 'projectors',
    version: packageJson.version,
    ...config,
  });
  const { keep } = shutdown;

  const store = keep('event store', await openEventStore({ settings, codec: eventCodec(), runtime, log }));
  const pool = await openReadModels({ databaseUrl: readDatabaseUrl, runtime, log });
  shutdown.onShutdown('read models', () => pool.end());
  const readSettings = { ...settings, databaseUrl: readDatabaseUrl };
  const hotStore = keep(
    'hot store',
    await openHotStore({ settings: readSettings, storeId: store.id, runtime, log }),
  );
  const snapshots = keep('snapshots', await postgresSnapshots({ databaseUrl, store, runtime, log }));
  const leases = keep('leases', await postgresLeases({ databaseUrl, owner: instance, runtime, log }));
  const calmStore = calmAppends(store, runtime, settings.kafka ? READ_FOR_RELAY_EVERY_MS : READ_EVERY_MS);
  const feed = keep('feed', await openFeed({ settings, store: calmStore, runtime, log }));

  // Market data needs order within a book only; without Kafka it shares what the projections read.
  const openMarketFeed = () =>
    openFeed({
      settings,
      store: calmAppends(store, runtime, READ_EVERY_MS),
      runtime,
      log,
      metrics,
      topic: feedTopic('brokerx.market'),
      paceMs: READ_EVERY_MS,
    });
  const marketFeed = settings.kafka ? keep('market feed', await openMarketFeed()) : feed;

  // The relay works at once, because engines wait for what it carries; the rest begins with the start signal.
  const started = startSignal(config.opening, shutdown.signal);
  const shared = { store, feed, leases: leasesAfter(started, leases), snapshots, telemetry, runtime, log };
  const projecting = startProjecting({
    ...shared,
    projections: allProjections(),
    pool,
    metrics: projectionMetrics(metrics, () => feed.head()),
  });
  keep('projections', projecting);
  const hotMetrics = marketDataMetrics(metrics);
  keep('market data', startMarketData({ ...shared, feed: marketFeed, hotStore, metrics: hotMetrics }));
  // Kafka's client is loaded only where there is a Kafka.
  const kafka = await openTopics({ settings, clientId: `brokerx-${instance}`, log, runtime });
  const metricsOfRelay = () => relayMetrics(metrics, runtime, () => feed.head());
  const relay = kafka && keep('relay', startRelay({ ...shared, leases, kafka, metrics: metricsOfRelay() }));
  projecting.ended.catch((err: unknown) => {
    log.fatal({ err }, 'the projections cannot go on');
    void shutdown.begin('the projections cannot go on', EXIT_FAILED);
  });

  if (config.healthPort > 0) {
    const ready = async () => {
      return {
        'read models': await readModelsState(pool, databaseDisk(readDatabaseUrl)),
        projections: projectionsState(projecting),
        ...(relay ? { relay: withoutNeed(relay.state()) } : {}),
      };
    };
    const { healthPort: port, host } = config;
    keep('health', await startHealthServer({ port, host, ready, metrics, log }));
  }
  log.info({ store: store.id }, 'ready');
});

/** `ok`, or which projections make no progress. */
function projectionsState(projecting: Projecting): string {
  const [halted, standing] = [projecting.halted(), projecting.standing()];
  const troubles = [
    ...(halted.length > 0 ? [`halted by a defect: ${halted.join(', ')}`] : []),
    ...(standing.length > 0 ? [`not getting on: ${standing.join(', ')}`] : []),
  ];
  return troubles.join('; ') || 'ok';
}

/** Readers of topics read the store while the topics are not filled, so the process is ready without the relay. */
function withoutNeed(state: string): string {
  return state === 'ok' ? state : `ok: Kafka's topics are not filled: ${state}`;
}
