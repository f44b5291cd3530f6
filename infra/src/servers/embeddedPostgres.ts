import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { DISK_FULL, diagnose, diskFull, EmbeddedPostgresError, isKill } from '../postgres/failure.ts';
import { isTransient } from '../postgres/postgres.ts';
import { DISK_RESERVE, NEW_DATABASE_RESERVE, shortageOf, wholeDisk } from '../runtime/diskSpace.ts';
import type { Log } from '../runtime/log.ts';
import { freePort, LOOPBACK, portTaken } from '../runtime/ports.ts';
import { acquireLock, LockHeld } from './folderLock.ts';
import { assertDataVersion, createData } from './newData.ts';
import { type PostgresHome, preparePostgresHome } from './postgresHome.ts';

import { launch, type Postmaster, stopOrphan, stopPostmaster, waitUntilReady } from './postmaster.ts';
import { identify } from './processes.ts';

/**
 * Starts a real PostgreSQL 18 without an installation: its programs come with the npm packages, and its data lie in one
 * folder. The next start works whatever happened before: a killed parent, a killed server, a loss of power.
 */
export type EmbeddedPostgres = {
  /** The address of the database `brokerx`, with its owner and the password. */
  url: string;
  /** The folder of its data. */
  folder: string;
  port: number;
  pid: number;
  /** Resolves when the server has ended; `wasRequested` is false if nobody called `stop`. */
  exited: Promise<{ wasRequested: boolean; reason: string }>;
  /** Ends sessions, writes a checkpoint and waits until the process is gone. */
  stop(): Promise<void>;
};

export type EmbeddedPostgresOptions = {
  /** The folder of password, port and (if the server's user can access it) the data; created when absent. */
  dataRoot: string;
  /** The port, which must be free. When absent, the last one is used again if it is free, else any free one. */
  port?: number;
  log: Log;
  /** Settings that add to the tuned ones or replace them. */
  settings?: Readonly<Record<string, string | number>>;
  /** False for throw-away data: the new data folder is not forced to disk before the first start. */
  syncNewData?: boolean;
  /** Whether a database was here before: then a start that does not find its data fails, and creates no new one. */
  mustExist?: boolean;
  /** Refuses the start if the disk is too full to work for long; any space is enough when absent. */
  needsReserve?: boolean;
  /** When aborted, a database that is being created is given up and removed. */
  signal?: AbortSignal | undefined;
};

const SUPERUSER = 'brokerx';
const DATABASE = 'brokerx';
/** The major version of the data's format: data of another one cannot be opened. */
const MAJOR = '18';
/** Attempts to start, and milliseconds between them: a killed server's backends end after a moment, and block a new one. */
const LEFTOVER_ATTEMPTS_MAX = 60;
const LEFTOVER_DELAY_MS = 500;

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { dataRoot, log } = options;
  if (options.mustExist && !existsSync(dataRoot)) throw dataLost(dataRoot);
  const home = withRefusals(() => preparePostgresHome(dataRoot, log), dataRoot);
  const lock = lockFolder(dataRoot);
  try {
    await stopOrphan(home, log);
    if (options.needsReserve) refuseFullDisk(home);
    const password = withRefusals(() => ownerPassword(dataRoot), dataRoot);
    if (existsSync(home.data)) assertDataVersion(home.data, MAJOR);
    else if (options.mustExist) throw dataLost(home.data);
    else await createData(home, { ...options, superuser: SUPERUSER, password });
    const { server, port } = await launchUntilReady(home, options);
    const url = (database: string) => `postgres://${SUPERUSER}:${password}@${LOOPBACK}:${port}/${database}`;
    try {
      await createDatabase(url('postgres'));
    } catch (error) {
      const launched = identify(server.pid);
      if (launched) await stopPostmaster(launched, log);
      const { signal } = await server.exited;
      const text = [String(error), ...server.lines()].join('\n');
      // One of its processes may have been killed, which breaks every connection.
      const wasKilled = isKill(signal) || isTransient(error);
      throw diagnose(home, text, 'it started, but did not serve', wasKilled);
    }
    savePort(dataRoot, port, log);
    let wasRequested = false;
    return {
      url: url(DATABASE),
      folder: home.folder,
      port,
      pid: server.pid,
      exited: server.exited.then(({ code, signal, lines }) => {
        lock.release();
        const lastWords = DISK_FULL.test(lines.join('\n')) ? diskFull(home) : (lines.at(-1) ?? '');
        return { wasRequested, reason: `${signal ?? `code ${code}`}: ${lastWords}` };
      }),
      stop: async () => {
        wasRequested = true;
        const identity = identify(server.pid);
        if (identity) await stopPostmaster(identity, log);
        await server.exited;
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Settings for a durable, bounded and quiet server, sized for a small machine that also runs the services. */
const tunedSettings: Readonly<Record<string, string | number>> = {
  listen_addresses: LOOPBACK,
  unix_socket_directories: '',
  // These three make sure that a reply 2xx means that the event is on disk.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // This build has no lz4.
  wal_compression: 'pglz',
  checkpoint_timeout: '15min',
  shared_buffers: '256MB',
  // Compiling a plan costs more than any of our statements.
  jit: 'off',
  // A forgotten prepared transaction would hold back vacuum for ever.
  max_prepared_transactions: 0,
  // Ends sessions that idle in a transaction, because they hold locks.
  idle_in_transaction_session_timeout: '30s',
  max_connections: 300,
  log_line_prefix: '',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
  lc_messages: 'C',
  // After a crash, one flush of the file system instead of one for each file saves a second.
  ...(process.platform === 'linux' ? { recovery_init_sync_method: 'syncfs' } : {}),
};

async function launchUntilReady(
  home: PostgresHome,
  { dataRoot, port: requested, log, settings }: EmbeddedPostgresOptions,
): Promise<{ server: Postmaster; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await choosePort(dataRoot, requested, attempt);
    const max_wal_size = maxWalSize(home);
    const server = launch(home, { ...tunedSettings, max_wal_size, ...settings, port }, log);
    if (await waitUntilReady(server, home, log)) return { server, port };
    const { lines, code, signal } = await server.exited;
    const text = lines.join('\n');
    const mayPass =
      /pre-existing shared memory block|could not bind|Address already in use|is being used/.test(text);
    if (!mayPass || attempt === LEFTOVER_ATTEMPTS_MAX)
      throw diagnose(home, text, `${signal ?? `exit code ${code}`}`, isKill(signal));
    await delay(LEFTOVER_DELAY_MS);
  }
}

async function choosePort(dataRoot: string, requested: number | undefined, attempt: number): Promise<number> {
  if (requested !== undefined) {
    const takenBy = await portTaken(requested);
    if (takenBy && attempt === 1) {
      throw new EmbeddedPostgresError(
        `port ${requested} for PostgreSQL is ${takenBy}. Choose another one, or none: then a free one is taken.`,
      );
    }
    return requested;
  }
  const last = readNumber(join(dataRoot, 'postgres-port'));
  const lastIsFree = attempt === 1 && last !== null && (await portTaken(last)) === null;
  return lastIsFree ? last : freePort();
}

/** Notes the port, which the next start tries first. */
function savePort(dataRoot: string, port: number, log: Log): void {
  const path = join(dataRoot, 'postgres-port');
  if (readNumber(path) === port) return;
  try {
    writeFileSync(path, `${port}\n`);
  } catch (err) {
    log.warn({ err }, 'the port of the database could not be noted; the next start may choose another one');
  }
}

function readNumber(path: string): number | null {
  try {
    const value = Number(readFileSync(path, 'utf8'));
    return Number.isInteger(value) && value > 0 && value < 65_536 ? value : null;
  } catch {
    return null;
  }
}

function ownerPassword(dataRoot: string): string {
  const path = join(dataRoot, 'postgres-password');
  if (!existsSync(path)) writeFileSync(path, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  return readFileSync(path, 'utf8').trim();
}

const dataLost = (folder: string) =>
  new EmbeddedPostgresError(
    `${folder} was deleted while it was in use: what it held is lost. Stop BrokerX, then restore the folder from a backup, or begin anew.`,
    { isLost: true },
  );

async function createDatabase(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

function lockFolder(dataRoot: string) {
  try {
    return acquireLock(join(dataRoot, 'postgres.lock'));
  } catch (error) {
    if (!(error instanceof LockHeld)) throw refusal(error, dataRoot);
    throw new EmbeddedPostgresError(
      `the database in ${dataRoot} is run by process ${error.holderPid}. Stop it, or choose another folder with --data.`,
    );
  }
}

function refuseFullDisk(home: PostgresHome): void {
  const shortage = shortageOf(home.folder, existsSync(home.data) ? DISK_RESERVE : NEW_DATABASE_RESERVE);
  if (shortage !== null) throw new EmbeddedPostgresError(`${diskFull(home)}. ${shortage}.`);
}

/**
 * The size of the write-ahead log from one checkpoint to the next. A larger one means less data written twice; but it is at
 * most a tenth of the disk, so that it cannot fill a small one.
 */
function maxWalSize({ folder }: PostgresHome): string {
  const tenth = Math.floor(wholeDisk(folder).bytes / 10 / 1024 ** 2);
  return `${Math.min(MAX_WAL_MEGABYTES, Math.max(MIN_WAL_MEGABYTES, tenth))}MB`;
}
const MAX_WAL_MEGABYTES = 2_048;
/** Four segments of the log. */
const MIN_WAL_MEGABYTES = 64;

/** Runs a preparation, and rethrows errors of the file system in words. */
function withRefusals<T>(prepare: () => T, dataRoot: string): T {
  try {
    return prepare();
  } catch (error) {
    throw refusal(error, dataRoot);
  }
}

function refusal(error: unknown, dataRoot: string): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new EmbeddedPostgresError(`${dataRoot} is not writable. Choose another folder with --data.`, {
      cause: error,
    });
  }
  if (code === 'ENOSPC')
    return new EmbeddedPostgresError(`the disk that holds ${dataRoot} is full: free some space.`, {
      cause: error,
    });
  return error instanceof Error ? error : new Error(String(error));
}
