import { eventCodec, SESSION_ENDS } from '@brokerx/contracts';
import {
  type AdapterSettings,
  type ConnectionBounds,
  calmAppends,
  createMetrics,
  type Http,
  type Log,
  openEventStore,
  openFeed,
  openHotStore,
  postgresSnapshots,
  type Runtime,
  type Shutdown,
  sessionEnds,
  type Telemetry,
} from '@brokerx/infra';
import { bearerAuth } from '@brokerx/infra/auth/auth.ts';
import { tokenVerifier } from '@brokerx/infra/auth/tokenVerifier.ts';
import { buildQueryApi } from './app.ts';
import { PUBLIC_BOOKS, publicBooks } from './books/publicBooks.ts';
import { EXPORTS } from './events/routes.ts';
import { hotValues as createHotValues } from './live/hotValues.ts';
import { liveEvents } from './live/liveEvents.ts';
import { MARKET_DATA, marketDataView } from './market/marketData.ts';
import { waitCounter } from './metrics.ts';
import { QUERY_BOUNDS, type QueryBounds } from './reading/bounds.ts';
import { freshness as createFreshness } from './reading/freshness.ts';
import { projectionPositions } from './reading/projectionPositions.ts';
import { openReadDatabase } from './reading/readDatabase.ts';
import { shares } from './reading/shares.ts';
import { channels as createChannels } from './streams/channels.ts';
import { openStreams } from './streams/openStreams.ts';
import { commandApi } from './ws/commandApi.ts';
import { openSockets } from './ws/openSockets.ts';

export type QueryApiOptions = {
  settings: AdapterSettings;
  readDatabaseUrl: string;
  host: string;
  port: number;
  corsOrigins: readonly string[];
  trustedProxies?: readonly string[];
  bounds?: ConnectionBounds;
  queryBounds?: QueryBounds;
  jwks: Parameters<typeof tokenVerifier>[0]['jwks'];
  issuer: string;
  /** Where orders that come over a WebSocket go. */
  commandUrl: string;
  version: string;
  runtime: Runtime;
  log: Log;
  telemetry: Telemetry;
  /** Told, in the order of opening, how to close what was opened. */
  onShutdown: Shutdown['onShutdown'];
  /** Bytes that an event stream may hold for a client; the standard when absent. */
  bufferBytesMax?: number;
};

/** Sessions that were ended are heard of within a second of it, and a store under load is looked through so often only. */
const SESSION_ENDS_EVERY_MS = 250;

/** Opens everything that is read from, then the API, then the port; gives the address it answers at. */
export async function startQueryApi(options: QueryApiOptions): Promise<{ url: string; app: Http }> {
  const { settings, readDatabaseUrl, queryBounds: bounds = QUERY_BOUNDS, runtime, log, onShutdown } = options;
  const metrics = createMetrics('query-api', options.version);

  const store = await openEventStore({ settings, codec: eventCodec(), runtime, log });
  onShutdown('event store', () => store.close());
  const feed = await openFeed({ settings, store, runtime, log });
  onShutdown('feed', () => feed.close());
  // A feed of its own: what ends sessions may take a moment, and is not worth a look at every append.
  const calmStore = calmAppends(store, runtime, SESSION_ENDS_EVERY_MS);
  const calmFeed = await openFeed({ settings, store: calmStore, runtime, log });
  onShutdown('calm feed', () => calmFeed.close());
  const sessions = await sessionEnds({ store, feed: calmFeed, told: SESSION_ENDS, runtime, log });
  onShutdown('session ends', () => sessions.close());
  const hotStore = await openHotStore({
    settings: { ...settings, databaseUrl: readDatabaseUrl },
    storeId: store.id,
    runtime,
    log,
  });
  onShutdown('hot store', () => hotStore.close());
  const hotView = marketDataView(hotStore, store);
  const database = openReadDatabase({ databaseUrl: readDatabaseUrl, store, log });
  onShutdown('read database', () => database.close());

  const storeId = store.id;
  const freshness = createFreshness({
    storeId,
    shownBefore: await store.head(),
    runtime,
    onWaiting: (anybody) => positions.poll(anybody),
    onWaited: waitCounter(metrics),
    bounds: bounds.waiters,
  });
  const positions = projectionPositions({
    databaseUrl: readDatabaseUrl,
    database,
    storeId,
    freshness,
    runtime,
    log,
  });
  onShutdown('projection positions', () => positions.close());
  const hotValues = createHotValues({
    view: hotView,
    shows: (cursor) => cursor?.storeId === storeId && freshness.shows(MARKET_DATA, cursor.position),
    runtime,
    log,
  });
  onShutdown('hot values', () => hotValues.close());
  hotView.onChange((position) => {
    freshness.moved(MARKET_DATA, position);
    hotValues.changed();
  });
  const live = liveEvents({ store, feed, runtime, log, onMoved: (at) => freshness.moved(PUBLIC_BOOKS, at) });
  onShutdown('live events', () => live.close());
  const snapshots = await postgresSnapshots({
    databaseUrl: settings.databaseUrl,
    store,
    runtime,
    log,
    readOnly: true,
  });
  onShutdown('snapshots', () => snapshots.close());
  const books = publicBooks({ store, live, snapshots, runtime, log });
  onShutdown('books', () => books.close());
  const channels = createChannels({ store, live, books, hotView, hotValues, database, freshness, runtime });

  const commands = commandApi(options.commandUrl);
  onShutdown('command-api', () => commands.close());
  const verifier = tokenVerifier({ ...options, sessions });
  const sockets = openSockets({
    ...options,
    bounds: bounds.webSockets,
    store,
    live,
    channels,
    verifier,
    sessions,
    commands,
  });

  const app = await buildQueryApi({
    ...options,
    store,
    database,
    hotView,
    freshness,
    live,
    sessions,
    hotValues,
    books,
    channels,
    streams: openStreams({ ...options, bounds: bounds.streams }),
    exportPlaces: shares(EXPORTS),
    commands,
    sockets,
    metrics,
    ready: async () => ({ 'read model': (await positions.reread()) ? 'ok' : 'does not answer' }),
    authenticate: bearerAuth(verifier),
  });
  onShutdown('http', async () => {
    freshness.close();
    await app.close();
  });
  // What is behind then is told by the replies; the projectors may not have started yet.
  await positions.reread();
  return { url: await app.listen({ host: options.host, port: options.port }), app };
}
