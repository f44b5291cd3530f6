import { eventCodec, feedTopic } from '@brokerx/contracts';
import {
  calmAppends,
  createLog,
  createMetrics,
  createShutdown,
  databaseDisk,
  EXIT_FAILED,
  leasesAfter,
  openEventStore,
  openFeed,
  openHotStore,
  opening,
  openTopics,
  postgresLeases,
  postgresSnapshots,
  runMain,
  realRuntime as runtime,
  startHealthServer,
  startTelemetry,
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

const SERVICE = 'projectors';
/** Below the pace of the flushes, so that reading adds little to what a reader waits. */
const READ_EVERY_MS = 20;
/** An order's match waits for the relay. */
const READ_FOR_RELAY_EVERY_MS = 10;

/** Read models, market data and Kafka's topics, from the event store's one order. */
await runMain(async () => {
  const config = readConfig();
  const { settings, readDatabaseUrl, instance } = config;
  const { databaseUrl } = settings;
  const log = createLog({ name: SERVICE, level: config.logLevel, instance });
  const shutdown = createShutdown(log);
  const metrics = createMetrics(SERVICE, packageJson.version);
  const about = { service: SERVICE, version: packageJson.version, instance, log, runtime };
  const telemetry = await startTelemetry({ ...about, endpoint: config.telemetryEndpoint });
  shutdown.onShutdown('telemetry', () => telemetry.stop());

  const store = await openEventStore({ settings, codec: eventCodec(), runtime, log });
  shutdown.onShutdown('event store', () => store.close());
  const pool = await openReadModels({ databaseUrl: readDatabaseUrl, runtime, log });
  shutdown.onShutdown('read models', () => pool.end());
  const hotStore = await openHotStore({
    settings: { ...settings, databaseUrl: readDatabaseUrl },
    storeId: store.id,
    runtime,
    log,
  });
  shutdown.onShutdown('hot store', () => hotStore.close());
  const snapshots = await postgresSnapshots({ databaseUrl, store, runtime, log });
  shutdown.onShutdown('snapshots', () => snapshots.close());
  const leases = await postgresLeases({ databaseUrl, owner: instance, runtime, log });
  shutdown.onShutdown('leases', () => leases.close());
  const readEveryMs = settings.kafka ? READ_FOR_RELAY_EVERY_MS : READ_EVERY_MS;
  const feed = await openFeed({ settings, store: calmAppends(store, runtime, readEveryMs), runtime, log });
  shutdown.onShutdown('feed', () => feed.close());

  // Market data needs order within a book only; without Kafka it shares what the projections read.
  const marketFeed = settings.kafka
    ? await openFeed({
        settings,
        store: calmAppends(store, runtime, READ_EVERY_MS),
        runtime,
        log,
        metrics,
        topic: feedTopic('brokerx.market'),
        paceMs: READ_EVERY_MS,
      })
    : feed;
  if (marketFeed !== feed) shutdown.onShutdown('market feed', () => marketFeed.close());

  // The relay carries what engines wait for; the rest begins when all are ready.
  const opened = opening(config.opening, shutdown.signal);
  const shared = { store, feed, leases: leasesAfter(opened, leases), snapshots, telemetry, runtime, log };
  const projecting = startProjecting({
    ...shared,
    projections: allProjections(),
    pool,
    metrics: projectionMetrics(metrics, () => feed.head()),
  });
  shutdown.onShutdown('projections', () => projecting.stop());
  const marketData = startMarketData({
    ...shared,
    feed: marketFeed,
    hotStore,
    metrics: marketDataMetrics(metrics),
  });
  shutdown.onShutdown('market data', () => marketData.stop());
  // Its client is loaded only where there is a Kafka.
  const kafka = await openTopics({ settings, clientId: `brokerx-${instance}`, log, runtime });
  const relay =
    kafka &&
    startRelay({
      ...shared,
      leases,
      kafka,
      metrics: relayMetrics(metrics, runtime, () => feed.head()),
    });
  if (relay) shutdown.onShutdown('relay', () => relay.stop());
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
    const health = await startHealthServer({
      port: config.healthPort,
      host: config.host,
      ready,
      metrics,
      log,
    });
    shutdown.onShutdown('health', () => health.close());
  }
  log.info({ store: store.id }, 'ready');
});

/** `ok`, or which projections do not get on. */
function projectionsState(projecting: Projecting): string {
  const [halted, standing] = [projecting.halted(), projecting.standing()];
  const troubles = [
    ...(halted.length > 0 ? [`halted by a defect: ${halted.join(', ')}`] : []),
    ...(standing.length > 0 ? [`not getting on: ${standing.join(', ')}`] : []),
  ];
  return troubles.join('; ') || 'ok';
}

/** Who reads topics reads the store while they are not filled: nothing has to wait for the relay. */
function withoutNeed(state: string): string {
  return state === 'ok' ? state : `ok: Kafka's topics are not filled: ${state}`;
}
