import { eventCodec, feedTopic } from '@brokerx/contracts';
import {
  adapterSettings,
  calmAppends,
  createLog,
  createMetrics,
  createShutdown,
  type DiskSpace,
  databaseDisk,
  EXIT_FAILED,
  groupCommit,
  openEventStore,
  openFeed,
  postgresLeases,
  postgresSnapshots,
  realRuntime,
  runMain,
  startHealthServer,
  startTelemetry,
} from '@brokerx/infra';
import { matchingEngineConfig } from './config.ts';
import { consume, type MatchingEngine } from './run/consume.ts';
import { engineMetrics } from './run/metrics.ts';

/** A matching engine process: it shares the symbols with all others that run, fairly, by lease. */
const SERVICE = 'matching-engine';
const VERSION = '0.1.0';
/** Beside Kafka: a symbol is traded so long after it was listed, at most. */
const LISTINGS_EVERY_MS = 250;

async function main(): Promise<void> {
  const config = matchingEngineConfig();
  const settings = adapterSettings(config);
  const { databaseUrl } = settings;
  const instance = config.BROKERX_INSTANCE;
  const runtime = realRuntime;
  const log = createLog({ name: SERVICE, level: config.LOG_LEVEL, instance });
  const shutdown = createShutdown(log);
  const metrics = createMetrics(SERVICE, VERSION);
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT;
  const telemetry = await startTelemetry({
    endpoint,
    service: SERVICE,
    version: VERSION,
    instance,
    log,
    runtime,
  });
  shutdown.onShutdown('tracing', () => telemetry.stop());

  let engine: MatchingEngine | null = null;
  const disk = settings.eventStoreUrl === undefined ? databaseDisk(databaseUrl) : null;
  const ready = async () => stateOf(engine, disk);
  if (config.HEALTH_PORT > 0) {
    const health = await startHealthServer({
      port: config.HEALTH_PORT,
      host: config.HOST,
      ready,
      metrics,
      log,
    });
    shutdown.onShutdown('health', () => health.close());
  }

  const store = await openEventStore({ settings, codec: eventCodec(), runtime, log });
  shutdown.onShutdown('event store', () => store.close());
  const snapshots = await postgresSnapshots({ databaseUrl, store, runtime, log });
  shutdown.onShutdown('snapshots', () => snapshots.close());
  const leases = await postgresLeases({ databaseUrl, owner: instance, runtime, log });
  shutdown.onShutdown('leases', () => leases.close());
  const appender = groupCommit(store, { runtime, log });
  shutdown.onShutdown('appends', () => appender.close());
  const feed = await openFeed({ settings, store, runtime, log, metrics, topic: feedTopic('brokerx.orders') });
  shutdown.onShutdown('feed', () => feed.close());
  // With Kafka a process reads its own partitions only; what is listed in any of them is rare, and looked for apart.
  const listings = settings.kafka
    ? await openFeed({ settings, store: calmAppends(store, runtime, LISTINGS_EVERY_MS), runtime, log })
    : feed;
  if (listings !== feed) shutdown.onShutdown('listings', () => listings.close());
  const running = await consume({
    store,
    appender,
    feed,
    listings,
    snapshots,
    leases,
    runtime,
    log,
    metrics: engineMetrics(metrics.registry),
    telemetry,
  }).catch((error: unknown) => {
    // What was closed under its feet is no failure.
    if (shutdown.signal.aborted) return null;
    throw error;
  });
  if (!running) return;
  engine = running;
  shutdown.onShutdown('engine', () => running.stop());
  void running.failed.then((error) => {
    log.fatal({ err: error }, 'the engine cannot go on: exiting');
    process.exit(EXIT_FAILED);
  });
}

function stateOf(engine: MatchingEngine | null, disk: DiskSpace | null): Record<string, string> {
  if (!engine?.isReady()) return { shards: 'are being taken over' };
  return { shards: 'ok', disk: disk?.shortage() ?? 'ok', ...marketsAsTold(engine) };
}

/**
 * A market that stands still is named, but the process is ready: the others trade, and a start must not fail for
 * it. Why it stands still is in the log; `brokerx_engine_broken_markets` counts it.
 */
function marketsAsTold(engine: MatchingEngine): Record<string, string> {
  const told = Object.entries(engine.markets()).map(([symbol, state]) =>
    state === 'ok' ? [symbol, 'ok'] : [`${symbol} is stopped (see the log); the process`, 'ok'],
  );
  return Object.fromEntries(told);
}

await runMain(main);
