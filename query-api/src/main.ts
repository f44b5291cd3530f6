import { eventCodec } from '@brokerx/contracts';
import {
  bearerAuth,
  createLog,
  createMetrics,
  createShutdown,
  postgresEventStore,
  postgresHotStore,
  realRuntime,
  runMain,
  storeFeed,
  tokenVerifier,
} from '@brokerx/infra';
import packageJson from '../package.json' with { type: 'json' };
import { buildQueryApi } from './app.ts';
import { queryConfig } from './config.ts';
import { freshness as createFreshness } from './freshness.ts';
import { MARKET_DATA, marketDataView } from './market/marketData.ts';
import { projectionPositions } from './projectionPositions.ts';
import { openReadDatabase } from './readDatabase.ts';
import { depthHub } from './streams/depthHub.ts';
import { liveEvents } from './streams/liveEvents.ts';
import { openStreams } from './streams/openStreams.ts';

/** The query-api process: everything it reads from, then the API, then the port. */
await runMain(async () => {
  const config = queryConfig();
  const { databaseUrl, readDatabaseUrl } = config;
  const { version } = packageJson;
  const runtime = realRuntime;
  const log = createLog({
    name: 'query-api',
    level: config.logLevel,
    ...(config.instance ? { instance: config.instance } : {}),
  });
  const shutdown = createShutdown(log);
  const metrics = createMetrics('query-api', version);

  const store = await postgresEventStore({ databaseUrl, codec: eventCodec(), runtime, log });
  shutdown.onShutdown('event store', () => store.close());
  const feed = storeFeed({ store, runtime, log });
  shutdown.onShutdown('feed', () => feed.close());
  const hotStore = await postgresHotStore({ databaseUrl, runtime, log });
  shutdown.onShutdown('hot store', () => hotStore.close());
  const hotView = marketDataView(hotStore);
  const database = openReadDatabase({ databaseUrl: readDatabaseUrl, log });
  shutdown.onShutdown('read database', () => database.close());

  const freshness = createFreshness({
    storeId: store.id,
    runtime,
    onWaiting: (anybody) => positions.poll(anybody),
  });
  const positions = projectionPositions({
    databaseUrl: readDatabaseUrl,
    database,
    storeId: store.id,
    freshness,
    runtime,
    log,
  });
  shutdown.onShutdown('projection positions', () => positions.close());
  const depths = depthHub({ view: hotView, runtime, log });
  shutdown.onShutdown('depths', () => depths.close());
  hotView.onChange((position) => {
    freshness.moved(MARKET_DATA, position);
    depths.changed();
  });
  const live = liveEvents({ store, feed, runtime, log });
  shutdown.onShutdown('live events', () => live.close());

  const verifier = tokenVerifier({ jwks: new URL(config.jwksUrl), issuer: config.issuer, runtime });
  const app = await buildQueryApi({
    store,
    database,
    hotView,
    freshness,
    live,
    depths,
    streams: openStreams({ runtime }),
    runtime,
    log,
    metrics,
    ready: async () => ({ 'read model': (await positions.reread()) ? 'ok' : 'does not answer' }),
    authenticate: bearerAuth(verifier),
    corsOrigins: config.corsOrigins,
    version,
  });
  shutdown.onShutdown('http', async () => {
    freshness.close();
    await app.close();
  });
  await positions.reread();
  const address = await app.listen({ host: config.host, port: config.port });
  log.info({ address }, 'query-api answers');
});
