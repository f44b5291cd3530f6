import { eventCodec, feedTopic } from '@brokerx/contracts';
import {
  adapterSettings,
  calmAppends,
  type DiskSpace,
  databaseDisk,
  EXIT_FAILED,
  groupCommit,
  openEventStore,
  openFeed,
  postgresLeases,
  postgresSnapshots,
  runMain,
  startHealthServer,
  startProcess,
} from '@brokerx/infra';
import { matchingEngineConfig } from './config.ts';
import { consume, type MatchingEngine } from './run/consume.ts';
import { engineMetrics } from './run/metrics.ts';

/** The process of a matching engine. All running engines share the symbols fairly, by lease. */
const SERVICE = 'matching-engine';
const VERSION = '0.1.0';
/** Milliseconds between a symbol's listing and its trading, at most, where orders come from Kafka. */
const LISTINGS_EVERY_MS = 250;

async function main(): Promise<void> {
  const config = matchingEngineConfig();
  const settings = adapterSettings(config);
  const { databaseUrl } = settings;
  const { HEALTH_PORT: port, HOST: host, BROKERX_INSTANCE: instance } = config;
  const { runtime, log, shutdown, metrics, telemetry } = await startProcess({
    service: SERVICE,
    version: VERSION,
    instance,
    logLevel: config.LOG_LEVEL,
    telemetryEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
  });
  const { keep } = shutdown;

  let engine: MatchingEngine | null = null;
  const disk = settings.eventStoreUrl === undefined ? databaseDisk(databaseUrl) : null;
  const ready = async () => stateOf(engine, disk);
  if (port > 0) keep('health', await startHealthServer({ port, host, ready, metrics, log }));

  const store = keep('event store', await openEventStore({ settings, codec: eventCodec(), runtime, log }));
  const snapshots = keep('snapshots', await postgresSnapshots({ databaseUrl, store, runtime, log }));
  const leases = keep('leases', await postgresLeases({ databaseUrl, owner: instance, runtime, log }));
  const appender = keep('appends', groupCommit(store, { runtime, log }));
  const topic = feedTopic('brokerx.orders');
  const feed = keep('feed', await openFeed({ settings, store, runtime, log, metrics, topic }));
  // With Kafka a process reads only its own partitions; listings, rare and in any partition, are read from the store.
  const calmStore = calmAppends(store, runtime, LISTINGS_EVERY_MS);
  const listings = settings.kafka
    ? keep('listings', await openFeed({ settings, store: calmStore, runtime, log }))
    : feed;
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
    // The shutdown closed its ports: that is no failure.
    if (shutdown.signal.aborted) return null;
    throw error;
  });
  if (!running) return;
  engine = keep('engine', running);
  void running.failed.then((error) => {
    log.fatal({ err: error }, 'the engine cannot go on: exiting');
    process.exit(EXIT_FAILED);
  });
}

function stateOf(engine: MatchingEngine | null, disk: DiskSpace | null): Record<string, string> {
  if (!engine?.isReady()) return { shards: 'are being taken over' };
  return { shards: 'ok', disk: disk?.shortage() ?? 'ok', ...marketsState(engine) };
}

/**
 * A market that stands still is named, but the process is ready: the other markets trade, and a start must not fail because
 * of one. The log says why it stands still; `brokerx_engine_broken_markets` counts such markets.
 */
function marketsState(engine: MatchingEngine): Record<string, string> {
  const states = Object.entries(engine.markets()).map(([symbol, state]) =>
    state === 'ok' ? [symbol, 'ok'] : [`${symbol} is stopped (see the log); the process`, 'ok'],
  );
  return Object.fromEntries(states);
}

await runMain(main);
