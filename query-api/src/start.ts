import { eventCodec, SESSION_ENDS } from '@brokerx/contracts';
import {
  type AdapterSettings,
  type ConnectionBounds,
  calmAppends,
  type Http,
  keepWith,
  type Log,
  type Metrics,
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
import { clientQuotas } from './reading/clientQuotas.ts';
import { freshness as createFreshness } from './reading/freshness.ts';
import { projectionPositions } from './reading/projectionPositions.ts';
import { openReadDatabase } from './reading/readDatabase.ts';
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
  metrics: Metrics;
  /** Registers closers, in the order of opening. */
  onShutdown: Shutdown['onShutdown'];
  /** Bytes that an event stream may hold for a client; the standard when absent. */
  bufferBytesMax?: number;
};

/** Milliseconds between two looks for ended sessions: each ends here within a second, and a busy store is read no more often. */
const SESSION_ENDS_EVERY_MS = 250;

/** Opens everything that is read from, then the API, then the port; returns the address it answers at. */
export async function startQueryApi(options: QueryApiOptions): Promise<{ url: string; app: Http }> {
  const { settings, readDatabaseUrl: databaseUrl, queryBounds: bounds = QUERY_BOUNDS } = options;
  const { runtime, log, metrics, onShutdown } = options;
  const keep = keepWith(onShutdown);

  const store = keep('event store', await openEventStore({ settings, codec: eventCodec(), runtime, log }));
  const storeId = store.id;
  const feed = keep('feed', await openFeed({ settings, store, runtime, log }));
  // A feed of its own: ends of sessions may be read a moment later, and are not worth a look at every append.
  const calmStore = calmAppends(store, runtime, SESSION_ENDS_EVERY_MS);
  const calmFeed = keep('calm feed', await openFeed({ settings, store: calmStore, runtime, log }));
  const sessions = keep(
    'session ends',
    await sessionEnds({ store, feed: calmFeed, ends: SESSION_ENDS, runtime, log }),
  );
  const readSettings = { ...settings, databaseUrl };
  const hotStore = keep('hot store', await openHotStore({ settings: readSettings, storeId, runtime, log }));
  const hotView = marketDataView(hotStore, store);
  const database = keep('read database', openReadDatabase({ databaseUrl, store, log }));

  const freshness = createFreshness({
    storeId,
    shownBefore: await store.head(),
    runtime,
    onWaiting: (anybody) => positions.poll(anybody),
    onWaited: waitCounter(metrics),
    bounds: bounds.waiters,
  });
  const positions = keep(
    'projection positions',
    projectionPositions({ databaseUrl, database, storeId, freshness, runtime, log }),
  );
  const hotValues = keep(
    'hot values',
    createHotValues({
      view: hotView,
      shows: (cursor) => cursor?.storeId === storeId && freshness.shows(MARKET_DATA, cursor.position),
      runtime,
      log,
    }),
  );
  hotView.onChange((position) => {
    freshness.moved(MARKET_DATA, position);
    hotValues.changed();
  });
  const onMoved = (position: number) => freshness.moved(PUBLIC_BOOKS, position);
  const live = keep('live events', liveEvents({ store, feed, runtime, log, onMoved }));
  const snapshots = keep(
    'snapshots',
    await postgresSnapshots({
      databaseUrl: settings.databaseUrl,
      store,
      runtime,
      log,
      readOnly: true,
    }),
  );
  const books = keep('books', publicBooks({ store, live, snapshots, runtime, log }));
  const channels = createChannels({ store, live, books, hotView, hotValues, database, freshness, runtime });

  const commands = keep('command-api', commandApi(options.commandUrl));
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
    exportPlaces: clientQuotas(EXPORTS),
    commands,
    sockets,
    ready: async () => ({ 'read model': (await positions.reread()) ? 'ok' : 'does not answer' }),
    authenticate: bearerAuth(verifier),
  });
  onShutdown('http', async () => {
    freshness.close();
    await app.close();
  });
  // Replies say what is still behind: the projectors may not have started yet.
  await positions.reread();
  return { url: await app.listen({ host: options.host, port: options.port }), app };
}
