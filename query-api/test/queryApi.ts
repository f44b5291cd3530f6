import { randomUUID } from 'node:crypto';
import {
  accountStream,
  deriveId,
  type Event,
  eventCodec,
  type Fact,
  formatPosition,
  MARKET_DATA_EVENTS,
  MARKET_DATA_VIEW,
  PROJECTION_CHANNEL,
  seal,
} from '@brokerx/contracts';
import {
  createMetrics,
  type EventStore,
  landmarks,
  migrate,
  NO_STREAM,
  noTelemetry,
  openPool,
  postgresEventStore,
  postgresHotStore,
  type Runtime,
  realRuntime,
} from '@brokerx/infra';
import { TOKEN_AUDIENCE, TOKEN_TYPE } from '@brokerx/infra/auth/tokenVerifier.ts';
import { createLog } from '@brokerx/infra/runtime/log.ts';
import { freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { QueryBounds } from '../src/reading/bounds.ts';
import { startQueryApi } from '../src/start.ts';

/**
 * A query-api on a real database of its own: tables as the projectors' migrations make them, and ways to write
 * what the other services would have written.
 */
export async function startTestQueryApi(
  options: {
    bufferBytesMax?: number;
    corsOrigins?: string[];
    runtime?: Runtime;
    queryBounds?: QueryBounds;
    trustedProxies?: string[];
    /** Where orders of WebSockets go: nowhere, when absent. */
    commandUrl?: string;
    /** How the API itself reaches the database, given its address. */
    way?: (databaseUrl: string) => Promise<string>;
    /** Whether the projections have begun, on an empty store, as projectors do it at their start. */
    begun?: boolean;
  } = {},
) {
  const { way = async (url) => url, begun = true, runtime = realRuntime, ...given } = options;
  const database = await freshDatabase();
  const log = createLog({ name: 'query-api-test', level: 'fatal' });
  const directory = new URL('../../projectors/migrations', import.meta.url);
  await migrate({ databaseUrl: database.url, directory, name: 'read' });
  const store = await postgresEventStore({ databaseUrl: database.url, codec: eventCodec(), runtime });
  const hotStore = await postgresHotStore({ databaseUrl: database.url, runtime });
  const pool = openPool({ databaseUrl: database.url, max: 2, applicationName: 'query-api test' });
  if (begun) {
    await pool.query(
      `insert into read.projection (name, version, status, store_id, position)
       select name, 1, 'live', $1, 0 from unnest($2::text[]) as u (name)`,
      [store.id, PROJECTIONS],
    );
  }
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const key = { ...(await exportJWK(publicKey)), kid: 'test', alg: 'ES256', use: 'sig' };

  const closers: (() => Promise<void> | void)[] = [];
  const apiDatabaseUrl = await way(database.url);
  const { url, app } = await startQueryApi({
    settings: { databaseUrl: apiDatabaseUrl },
    readDatabaseUrl: apiDatabaseUrl,
    host: '127.0.0.1',
    port: 0,
    corsOrigins: [],
    jwks: { keys: [key] },
    issuer: ISSUER,
    commandUrl: 'http://127.0.0.1:9',
    version: '0.0.0',
    runtime,
    log,
    telemetry: noTelemetry(runtime),
    metrics: createMetrics('query-api', '0.0.0'),
    onShutdown: (_name, close) => void closers.push(close),
    ...given,
  });
  const closeApi = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };

  /** An access token as command-api would have signed it. */
  const token = (
    person: Person,
    expiresInSeconds = 900,
    session: { id: string; revision: number } = { id: randomUUID(), revision: 0 },
  ) =>
    new SignJWT({
      roles: person.roles,
      account_id: person.accountId,
      sid: session.id,
      sid_revision: session.revision,
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'test', typ: TOKEN_TYPE })
      .setIssuer(ISSUER)
      .setAudience(TOKEN_AUDIENCE)
      .setSubject(person.clientId)
      .setJti(randomUUID())
      .setExpirationTime(Math.floor(runtime.nowMs() / 1000) + expiresInSeconds)
      .sign(privateKey);

  /** A request by this person (nobody: without a token). */
  const get = async (path: string, by?: Person, headers: Record<string, string> = {}) => {
    const authorization: Record<string, string> = by ? { authorization: `Bearer ${await token(by)}` } : {};
    return fetch(`${url}${path}`, { headers: { ...authorization, ...headers } });
  };

  /** Rows in a table, given as objects with the same columns. */
  const insert = async (table: string, rows: readonly Record<string, unknown>[]) => {
    for (const row of rows) {
      const columns = Object.keys(row);
      const places = columns.map((_, i) => `$${i + 1}`);
      await pool.query(
        `insert into ${table} (${columns.join(', ')}) values (${places.join(', ')})`,
        Object.values(row),
      );
    }
  };

  /** A projection now stands here, and says so. */
  const project = async (name: string, position: number, storeId = store.id) => {
    await fillTo(position);
    const landmark = await store.landmark(position);
    await pool.query(
      `insert into read.projection (name, version, status, store_id, position, landmark_position, landmark_commit)
       values ($1, 1, 'live', $2, $3, $4, $5)
       on conflict (name, version) do update
         set position = excluded.position, store_id = excluded.store_id,
             landmark_position = excluded.landmark_position, landmark_commit = excluded.landmark_commit`,
      [name, storeId, position, landmark?.position ?? null, landmark?.commitId ?? null],
    );
    await pool.query('select pg_notify($1, $2)', [PROJECTION_CHANNEL, `${name}:1:${position}`]);
  };

  /** Events up to this position at least, whatever they are. */
  const fillTo = async (position: number) => {
    const missing = position - (await store.head());
    if (missing <= 0) return;
    const { accountId, clientId } = filler;
    await appendFacts(
      store,
      accountStream(accountId),
      Array.from({ length: missing }, () => ({ type: 'AccountOpened.v1', data: { accountId, clientId } })),
    );
  };

  /** Market data of one or more symbols, as of a position. */
  const marketData = async (position: number, values: Record<string, unknown>) => {
    await fillTo(position);
    const { events } = await store.readAll(0, MARKET_DATA_EVENTS, position);
    const followed = landmarks(null);
    followed.add(events);
    const landmark = followed.at(position);
    const to = { storeId: store.id, position, ...(landmark ? { landmark } : {}) };
    const view = hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version);
    const set = new Map(Object.entries(values).map(([name, value]) => [name, JSON.stringify(value)]));
    await view.write({ from: await view.cursor(), to, set });
  };

  return {
    url,
    app,
    store,
    pool,
    get,
    token,
    insert,
    project,
    fillTo,
    marketData,
    hotStore,
    closeApi,
    databaseUrl: database.url,
    positionToken: (position: number) => formatPosition({ storeId: store.id, position }),
    append: (stream: string, facts: readonly Fact[]) => appendFacts(store, stream, facts),
    async close() {
      await closeApi();
      await Promise.all([store.close(), hotStore.close(), pool.end()]);
      await database.drop();
    },
  };
}
/** All that tables are read of. */
const PROJECTIONS = ['candles', 'executions', 'holdings', 'ledger', 'orders', 'symbols', 'wallets'];
export type TestQueryApi = Awaited<ReturnType<typeof startTestQueryApi>>;

/** Appends facts behind whatever the stream has; tells the position of the last one. */
export async function appendFacts(store: EventStore<Event>, stream: string, facts: readonly Fact[]) {
  const expectedRevision = await store.streamRevision(stream);
  const id = randomUUID();
  const events = seal(id, CAUSE, facts) as Event[];
  const [verdict] = await store.append([
    { id, stream, expectedRevision: expectedRevision ?? NO_STREAM, chained: false, symbol: null, events },
  ]);
  if (verdict?.verdict !== 'ok') throw new Error(`the append was answered ${verdict?.verdict}`);
  return verdict.position;
}

export const CAUSE = {
  time: '2026-01-05T14:30:00.000Z',
  actor: 'system:test',
  correlationId: '11111111-1111-4111-8111-111111111111',
  causationId: '22222222-2222-4222-8222-222222222222',
  traceparent: '00-0123456789abcdef0123456789abcdef-0123456789abcdef-00',
};

export type Person = { clientId: string; accountId: string; roles: readonly string[] };
const NAMES = '33333333-3333-4333-8333-333333333333';
const person = (name: string, roles: readonly string[]): Person => ({
  clientId: deriveId(NAMES, `${name}'s client`),
  accountId: deriveId(NAMES, `${name}'s account`),
  roles,
});
export const ann = person('Ann', ['trader']);
export const bob = person('Bob', ['trader']);
/** Nobody asks for it. */
const filler = person('Filler', []);
export const operator = person('Olga', ['operator']);
export const analyst = person('Anton', ['analyst']);

const ISSUER = 'http://issuer.test';

/** Ids for examples: the same name gives the same one. */
export const idOf = (name: string): string => deriveId(NAMES, name);
