import pg from 'pg';
import type { Log } from '../runtime/log.ts';
import { errorsHeardElsewhere, heardElsewhere, mayFail } from '../runtime/mayFail.ts';
import { unlessOutage } from '../runtime/outage.ts';
import { asError, backOffMs } from '../runtime/retry.ts';
import { realRuntime, sleep } from '../runtime/runtime.ts';
import { watchedClient } from './serverWatch.ts';

/**
 * The project's way to PostgreSQL: pools that survive a killed server, short transactions, and a LISTEN connection that
 * reconnects by itself.
 */
export type PoolOptions = {
  databaseUrl: string;
  /** Most connections. */
  max: number;
  /** Shown in `pg_stat_activity`. */
  applicationName: string;
  /** Milliseconds that one statement may take; `STATEMENT_TIMEOUT_MS` when absent. */
  statementTimeoutMs?: number;
  /** Server settings of every session, such as `enable_seqscan: 'off'`. */
  settings?: Readonly<Record<string, string>>;
  /** Sends statements without waiting for the replies to earlier ones: one round trip for many writes. */
  pipeline?: boolean;
  log?: Log | undefined;
};

/** Milliseconds. Every statement is meant to take less than a second; one that takes this long is stuck. */
export const STATEMENT_TIMEOUT_MS = 15_000;
/**
 * Milliseconds by which this process itself may be late under far too much load. A shorter time limit on its own clock would
 * blame the server for that.
 */
const SLOW_PROCESS_MS = 15_000;
/** The server ends a session that idles in a transaction for longer, because that holds back vacuum. */
export const IDLE_IN_TRANSACTION_TIMEOUT_MS = SLOW_PROCESS_MS;
/** A server that does not answer a connection attempt within this time counts as down. */
export const CONNECT_TIMEOUT_MS = SLOW_PROCESS_MS;
/** A reply this late after the server's own time limit will never come: the way to the server is broken. */
const REPLY_GRACE_MS = SLOW_PROCESS_MS;
/** Milliseconds for which idle connections, and so their prepared statements, are kept. */
const IDLE_CONNECTION_MS = 60_000;
/** Milliseconds between probes of a LISTEN connection: a lost peer sends nothing, so silence proves nothing. */
const LISTEN_PROBE_MS = 15_000;

export function openPool(options: PoolOptions): pg.Pool {
  const { max, pipeline = false } = options;
  const Client = watchedClient(options.databaseUrl, options.log);
  const limits = { max, pipeline, idleTimeoutMillis: IDLE_CONNECTION_MS };
  const pool = new pg.Pool({ ...session(options), ...limits, Client });
  // Without a listener the death of an idle connection would end the process. `watchedClient` has logged it.
  errorsHeardElsewhere(pool);
  // The pool stops listening while a connection is checked out: then the caller's query rejects with the error.
  pool.on('connect', errorsHeardElsewhere);
  return pool;
}

/** Whether an address demands TLS, by libpq's `sslmode` or by `ssl`. */
export function postgresSpeaksTls(databaseUrl: string): boolean {
  const parameters = URL.parse(databaseUrl)?.searchParams;
  const mode = parameters?.get('sslmode') ?? parameters?.get('ssl') ?? 'disable';
  return !['disable', 'false', '0'].includes(mode);
}

export type TransactionOptions = {
  /** `off` for data that can be rebuilt: a crash may lose the newest commits, but keeps their order. */
  synchronousCommit?: 'on' | 'off';
};

/** Runs `work` in one READ COMMITTED transaction. If it throws, the transaction is rolled back and the error rethrown. */
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
 * Whether the server or the way to it failed, and not the statement itself: a repetition may help, and nobody knows whether
 * the statement took effect.
 */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (TRANSIENT_CODES.has(code) || code.startsWith('08')) return true;
  if (BROKEN_WAY.test(error.message)) return true;
  return error instanceof AggregateError && error.errors.some(isTransient);
}

/** Messages of the client's errors without a code. */
const BROKEN_WAY =
  /connection (terminated|ended)|timeout exceeded when trying to connect|query read timeout/i;

const TRANSIENT_CODES = new Set([
  '57P01', // an administrator ended the connection
  '57P02', // a crash ended the connection
  '57P03', // the server is starting or stopping
  '57014', // the statement timed out
  '53100', // the disk is full
  '53300', // too many connections
  '55P03', // a lock was not granted
  '25P03', // idle in transaction for too long
  '40001', // a serialization failure
  '40P01', // a deadlock
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
 * LISTENs on a connection of its own and reconnects for ever. Notifications sent while it is disconnected are lost, so
 * `onConnected` is called after every connect: the caller then has to read the state itself.
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
        const fields = { err: error, channel: options.channel };
        options.log?.[unlessOutage(error, 'warn')](fields, 'the LISTEN connection was lost');
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

/** LISTENs on one connection: returns when `signal` is aborted, throws when the connection is lost. */
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

/** Parses a `bigint`, which arrives as text; all our numbers have to be safe integers. */
export function safeInteger(text: string | number): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a safe integer: ${text}`);
  return value;
}

function session(options: PoolOptions) {
  const { databaseUrl, applicationName, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
  // The planner's just-in-time compilation costs more than any of our statements.
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
