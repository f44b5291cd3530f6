import pg from 'pg';
import type { Log } from '../runtime/log.ts';
import { errorsHeardElsewhere, heardElsewhere, mayFail } from '../runtime/mayFail.ts';
import { unlessOutage } from '../runtime/outage.ts';
import { asError, backOffMs } from '../runtime/retry.ts';
import { realRuntime, sleep } from '../runtime/runtime.ts';
import { watchedClient } from './serverWatch.ts';

/**
 * How this project talks to PostgreSQL: pools that survive a killed server, short transactions, and a LISTEN connection
 * that comes back by itself.
 */
export type PoolOptions = {
  databaseUrl: string;
  /** Connections at most. */
  max: number;
  /** Shown in `pg_stat_activity`. */
  applicationName: string;
  /** Milliseconds that one statement may take; `STATEMENT_TIMEOUT_MS` when absent. */
  statementTimeoutMs?: number;
  /** Server settings of every session, such as `enable_seqscan: 'off'`. */
  settings?: Readonly<Record<string, string>>;
  /** Statements are sent at once, each without waiting for the one before it: one round trip for many writes. */
  pipeline?: boolean;
  log?: Log | undefined;
};

/** No statement of ours is meant to take longer than a second; what does is stuck. */
export const STATEMENT_TIMEOUT_MS = 15_000;
/**
 * What a process may be late by its own fault, as under far too much load: a limit that is counted on its own clock, or
 * while another waits for it, says nothing of the server before this is over.
 */
const SLOW_PROCESS_MS = 15_000;
/** No transaction is left open for longer than that: it holds back vacuum. */
export const IDLE_IN_TRANSACTION_TIMEOUT_MS = SLOW_PROCESS_MS;
/** A server that does not answer a connection attempt within this is treated as down. */
export const CONNECT_TIMEOUT_MS = SLOW_PROCESS_MS;
/** A reply that is this late after the server's own limit never comes: the way to it is broken. */
const REPLY_GRACE_MS = SLOW_PROCESS_MS;
/** Idle connections keep their prepared statements this long. */
const IDLE_CONNECTION_MS = 60_000;
/** A silent LISTEN connection is asked this often whether it still lives (a lost peer sends nothing). */
const LISTEN_PROBE_MS = 15_000;

export function openPool(options: PoolOptions): pg.Pool {
  const { max, pipeline = false } = options;
  const Client = watchedClient(options.databaseUrl, options.log);
  const limits = { max, pipeline, idleTimeoutMillis: IDLE_CONNECTION_MS };
  const pool = new pg.Pool({ ...session(options), ...limits, Client });
  // Without a listener, a connection that dies while nobody uses it ends the process. The client has told of it.
  errorsHeardElsewhere(pool);
  // The pool stops listening while a connection is checked out: there the caller's query tells the error.
  pool.on('connect', errorsHeardElsewhere);
  return pool;
}

/** Whether an address asks for TLS, as libpq's sslmode and `ssl` do. */
export function postgresSpeaksTls(databaseUrl: string): boolean {
  const asked = URL.parse(databaseUrl)?.searchParams;
  const mode = asked?.get('sslmode') ?? asked?.get('ssl') ?? 'disable';
  return !['disable', 'false', '0'].includes(mode);
}

export type TransactionOptions = {
  /** `off` for what can be rebuilt: the order of commits is kept, the last moments may be lost. */
  synchronousCommit?: 'on' | 'off';
};

/** Runs `work` in one READ COMMITTED transaction; anything it throws rolls back and is thrown on. */
export async function transaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  { synchronousCommit = 'on' }: TransactionOptions = {},
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(
      synchronousCommit === 'on'
        ? 'begin isolation level read committed'
        : 'begin isolation level read committed; set local synchronous_commit = off',
    );
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((cause: unknown) => {
      broken = asError(cause);
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/**
 * True when the server or the way to it failed, rather than the statement: repeating may help, and whether the
 * statement took effect is not known.
 */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (TRANSIENT_CODES.has(code) || code.startsWith('08')) return true;
  if (BROKEN_WAY.test(error.message)) return true;
  return error instanceof AggregateError && error.errors.some(isTransient);
}

/** Errors of the client that have no code. */
const BROKEN_WAY =
  /connection (terminated|ended)|timeout exceeded when trying to connect|query read timeout/i;

const TRANSIENT_CODES = new Set([
  '57P01', // the administrator ends the connection
  '57P02', // a crash ends it
  '57P03', // the server is starting or stopping
  '57014', // the statement timed out
  '53100', // the disk is full
  '53300', // too many connections
  '55P03', // a lock was not given
  '25P03', // idle in transaction for too long
  '40001',
  '40P01',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT', // the unix socket of a stopped server
]);

export type Listener = { close(): Promise<void> };

/**
 * LISTENs on a connection of its own, reconnecting for ever. Notifications sent while it is away are lost, so
 * `onConnected` is called after every (re)connect: look for yourself then.
 */
export function listen(options: {
  databaseUrl: string;
  channel: string;
  applicationName: string;
  onNotify: (payload: string) => void;
  onConnected: () => void;
  log?: Log | undefined;
}): Listener {
  const closing = new AbortController();
  const running = (async () => {
    for (let attempt = 0; !closing.signal.aborted; ) {
      try {
        await listenOnce(options, closing.signal, () => {
          attempt = 0;
        });
      } catch (error) {
        const about = { err: error, channel: options.channel };
        options.log?.[unlessOutage(error, 'warn')](about, 'the LISTEN connection was lost');
      }
      attempt += 1;
      await sleep(realRuntime, backOffMs(attempt), closing.signal);
    }
  })();
  return {
    close: async () => {
      closing.abort();
      await running;
    },
  };
}

/** One life of a LISTEN connection: returns when `signal` is aborted, throws when the connection is lost. */
async function listenOnce(
  options: Parameters<typeof listen>[0],
  signal: AbortSignal,
  connected: () => void,
): Promise<void> {
  const Client = watchedClient(options.databaseUrl, options.log);
  const client = new Client(session({ ...options, max: 1 }));
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  heardElsewhere(ended);
  client.on('error', reject);
  client.on('end', () => reject(new Error('connection ended')));
  client.on('notification', (message) => options.onNotify(message.payload ?? ''));
  const stop = () => resolve();
  signal.addEventListener('abort', stop, { once: true });
  const probe = setInterval(() => {
    client.query('select 1').catch(reject);
  }, LISTEN_PROBE_MS);
  try {
    await Promise.race([client.connect(), ended]);
    if (signal.aborted) return;
    await client.query(`listen ${client.escapeIdentifier(options.channel)}`);
    connected();
    options.onConnected();
    await ended;
  } finally {
    clearInterval(probe);
    signal.removeEventListener('abort', stop);
    await mayFail(client.end(), 'it is lost either way');
  }
}

/** `bigint` columns arrive as text; every number of ours is meant to be a safe integer. */
export function safeInteger(text: string | number): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a safe integer: ${text}`);
  return value;
}

function session(options: PoolOptions) {
  const { databaseUrl, applicationName, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
  // The planner's just-in-time compilation costs more than any statement of ours.
  const settings = { jit: 'off', ...options.settings };
  return {
    connectionString: databaseUrl,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + REPLY_GRACE_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  };
}
