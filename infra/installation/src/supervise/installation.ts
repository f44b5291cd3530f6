import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { eventStoreFault } from '@brokerx/infra/eventStore/eventstoredb/fault.ts';
import { EmbeddedPostgresError } from '@brokerx/infra/postgres/failure.ts';
import { isTransient, postgresSpeaksTls } from '@brokerx/infra/postgres/postgres.ts';
import { ConfigError } from '@brokerx/infra/runtime/config.ts';
import { connectionFault, shownServer } from '@brokerx/infra/runtime/connectionFault.ts';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import type { Mode } from '@brokerx/infra/runtime/mode.ts';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { repeating } from '@brokerx/infra/runtime/retry.ts';
import { realRuntime } from '@brokerx/infra/runtime/runtime.ts';
import { StartRefused } from '@brokerx/infra/runtime/shutdown.ts';
import { startEmbeddedPostgres } from '@brokerx/infra/servers/embeddedPostgres.ts';
import { acquireLock, type FolderLock, LockHeld } from '@brokerx/infra/servers/folderLock.ts';
import { parseMasterKey } from '@brokerx/infra/vault/sealing.ts';
import pg from 'pg';
import {
  type DatabaseService,
  databaseOf,
  rolePasswords,
  sameForAll,
  schemasKeptIn,
} from '../database/databaseRoles.ts';
import { prepareDatabase } from '../database/prepareDatabase.ts';
import { apiPorts } from './apiPorts.ts';
import { halfAnOperator, noMail, sharedProblems } from './brokenVariables.ts';
import { type Counts, ONE_OF_EACH } from './instances.ts';
import { DATABASE_PROCESS, openRunFile, type RunFile, stopLeftovers } from './runFile.ts';
import { installationSecrets } from './secrets.ts';
import { brokerxServices, type Surroundings, showsInbox } from './serviceCatalog.ts';
import { type ServiceSpec, startService } from './serviceProcess.ts';
import { NotReady, type Running, type Supervised, supervise } from './supervisor.ts';
import { wrongSettings } from './wrongSettings.ts';

/** Starts a whole BrokerX on this machine, its database and its services, and keeps each process running. */
export type Installation = {
  status: InstallationStatus;
  /** The processes' current pids. */
  pids(): Record<string, number>;
  /** Stops all processes in reverse order. */
  stop(): Promise<void>;
};

export type InstallationStatus = {
  /** The first command-api and the first query-api. */
  commandUrl: string;
  queryUrl: string;
  /** All command-apis and query-apis. */
  commandUrls: string[];
  queryUrls: string[];
  databaseUrl: string;
  operatorEmail: string;
  operatorPassword: string;
  mode: Mode;
  /** Where all mail can be read; null if there is no inbox. */
  inboxUrl: string | null;
  dataDir: string;
  pids: Record<string, number>;
};

export type InstallationOptions = {
  /** The folder of everything that outlives the processes; created when absent. */
  dataDir: string;
  /** The repository, where the services are. */
  root: string;
  /** The ports of the first command-api and the first query-api. */
  ports: 'free' | { command: number; query: number };
  /** How many processes of each kind; one when absent. */
  counts?: Counts;
  mode: Mode;
  /** Whether simulated traders run beside it. */
  traders: boolean;
  /** Variables for the services. If DATABASE_URL is among them, no database is started. */
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
  /** Called with every line that a service writes. */
  onLine(service: string, line: string): void;
  /** Aborts the start. */
  signal?: AbortSignal;
  /** The services to run; BrokerX' own when absent. */
  services?(surroundings: Surroundings): ServiceSpec[];
};

/** Milliseconds for the database's first start: after a crash under load it redoes up to 2 GB of log. */
const DATABASE_READY_TIMEOUT_MS = 300_000;
/** Milliseconds for a service's first start: the engine recovers every book, projections catch up. */
const SERVICE_READY_TIMEOUT_MS = 120_000;

export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const { dataDir, log } = options;
  await refuseWrongSettings(options);
  const lock = lockFolder(dataDir);
  const started: Supervised[] = [];
  const stop = async () => {
    for (const service of started.toReversed()) {
      await service.stop();
      log.debug(`${service.name} stopped`);
    }
    lock.release();
  };
  try {
    await stopLeftovers(dataDir, log);
    const counts = options.counts ?? ONE_OF_EACH;
    const ports = await apiPorts(options.ports, counts);
    const reserved = new Set([...ports.command, ...ports.query, ports.inbox]);
    const secrets = installationSecrets(dataDir);
    const run = openRunFile(dataDir, log);
    const externalUrl = options.env.DATABASE_URL;
    const embedded = externalUrl ? undefined : await embeddedDatabase(options, run, started);
    const databaseUrl = externalUrl || (embedded?.url ?? '');
    if (externalUrl) await refuseAbsentDatabase(externalUrl);
    if (options.env.EVENTSTORE_URL) await refuseAbsentEventStore(options.env.EVENTSTORE_URL);
    const { root, env, mode, traders } = options;
    const databaseFolder = embedded?.folder;
    const databaseUrls = await serviceAddresses(databaseUrl, options, secrets.BROKERX_MASTER_KEY);
    const where = { root, dataDir, databaseUrls, databaseFolder };
    const surroundings = { ...where, ports, counts, mode, secrets, env, traders };
    const specs = (options.services ?? brokerxServices)(surroundings);
    const needed: Promise<void>[] = [];
    const shared: SharedByServices = { run, reserved, isReady: false };
    // Launched in order, but without waiting until one is ready: on a cold machine loading takes the time.
    for (const spec of specs) {
      const { service, launched } = superviseService(spec, options, shared);
      started.push(service);
      if (!spec.optional) needed.push(service.ready);
      await launched;
    }
    await Promise.race([Promise.all(needed), abandoned(options.signal)]);
    shared.isReady = true;
    for (const service of started) service.current()?.sendStartSignal?.();
    const secret = (name: keyof typeof secrets) => env[name] || secrets[name];
    const urlsOf = (numbers: readonly number[]) => numbers.map((port) => `http://${LOOPBACK}:${port}`);
    const [commandUrls, queryUrls] = [urlsOf(ports.command), urlsOf(ports.query)];
    const commandUrl = commandUrls[0] ?? '';
    const status = {
      commandUrl,
      queryUrl: queryUrls[0] ?? '',
      commandUrls,
      queryUrls,
      databaseUrl,
      operatorEmail: secret('OPERATOR_EMAIL'),
      operatorPassword: secret('OPERATOR_PASSWORD'),
      mode,
      inboxUrl: showsInbox(mode, env) ? `${commandUrl}/dev/inbox` : null,
      dataDir,
      pids: run.pids(),
    };
    return { status, pids: run.pids, stop };
  } catch (error) {
    await stop();
    // After an abort every failure is a consequence of it.
    if (options.signal?.aborted) throw new StartRefused(INTERRUPTED, { cause: error });
    throw error instanceof NotReady ? new StartRefused(error.message, { cause: error }) : error;
  }
}

/** Starts and supervises the embedded database. A restart keeps its port, which is in every service's environment. */
async function embeddedDatabase(options: InstallationOptions, run: RunFile, started: Supervised[]) {
  const { dataDir, log, signal } = options;
  let url = '';
  let folder = '';
  let port: number | undefined;
  const supervised = supervise({
    name: DATABASE_PROCESS,
    start: async (): Promise<Running> => {
      // Only the first start demands free space: later a database that can only be read is better than none.
      const demands = port ? { port, mustExist: true } : { needsReserve: true };
      const server = await startEmbeddedPostgres({ dataRoot: dataDir, log, signal, ...demands });
      ({ url, folder, port } = server);
      const exited = server.exited.then(({ reason }) => ({ reason, code: null }));
      return { pid: server.pid, readyUrl: null, exited, stop: server.stop };
    },
    mayPass: (error) => error instanceof EmbeddedPostgresError && error.wasKilled,
    isFinal: (error) => error instanceof EmbeddedPostgresError && error.isLost,
    readyTimeoutMs: DATABASE_READY_TIMEOUT_MS,
    log,
    runtime: realRuntime,
    onProcess: (running) => run.set(DATABASE_PROCESS, running?.pid ?? null),
  });
  started.push(supervised);
  await Promise.race([supervised.ready, abandoned(options.signal)]);
  return { url, folder };
}

/** What the services of an installation share. */
type SharedByServices = {
  run: RunFile;
  reserved: ReadonlySet<number>;
  /** The whole installation was ready once: a service that restarts from then on gets the start signal at once. */
  isReady: boolean;
};

function superviseService(
  spec: ServiceSpec,
  { log, onLine }: InstallationOptions,
  shared: SharedByServices,
): { service: Supervised; launched: Promise<void> } {
  const launched = Promise.withResolvers<void>();
  const service = supervise({
    name: spec.name,
    start: () => startService(spec, (line) => onLine(spec.name, line), shared.reserved),
    readyTimeoutMs: SERVICE_READY_TIMEOUT_MS,
    log,
    runtime: realRuntime,
    onProcess: (running) => {
      shared.run.set(spec.name, running?.pid ?? null);
      if (shared.isReady) running?.sendStartSignal?.();
      launched.resolve();
    },
  });
  return { service, launched: launched.promise };
}

function lockFolder(dataDir: string): FolderLock {
  try {
    makeFolder(dataDir);
    accessSync(dataDir, constants.W_OK);
    return acquireLock(join(dataDir, 'brokerx.lock'));
  } catch (error) {
    if (error instanceof LockHeld) {
      throw new StartRefused(
        `BrokerX is already running on ${dataDir} (process ${error.holderPid}). Stop it, or choose another folder with --data.`,
      );
    }
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why = UNUSABLE[code] ?? message;
    throw new StartRefused(`${dataDir} cannot be used: ${why}. Choose another folder with --data.`, {
      cause: error,
    });
  }
}

/** Why a folder cannot be used, by the system's code. */
const UNUSABLE: Readonly<Record<string, string>> = {
  EEXIST: 'it is a file',
  ENOTDIR: 'it, or something on the way to it, is a file',
  EACCES: 'it is not writable',
  EPERM: 'it is not writable',
  EROFS: 'it is not writable, its disk is mounted for reading only',
  ENOENT: 'it cannot be made there',
  ENOSPC: 'its disk is full; free some space',
};

/** Creates a folder and its parents. Node's own recursion never ends where the system says ENOENT for `/proc`. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) {
    if (!statSync(folder).isDirectory()) throw Object.assign(new Error(folder), { code: 'ENOTDIR' });
    return;
  }
  makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

/** Throws `StartRefused` with every wrong variable. Services that replace BrokerX' own are not checked. */
async function refuseWrongSettings(options: InstallationOptions): Promise<void> {
  const { env, mode, services } = options;
  const problems = services
    ? [...sharedProblems(env), ...halfAnOperator(env), ...noMail(mode, env)]
    : await wrongSettings(options);
  if (problems.length > 0) throw new StartRefused(new ConfigError(problems).message);
}

/** Creates tables and roles as the owner of the database, and returns each service's own address. */
async function serviceAddresses(
  ownerUrl: string,
  { root, env, log, services }: InstallationOptions,
  ownKey: string,
): Promise<Readonly<Record<DatabaseService, string>>> {
  const masterKey = parseMasterKey(env.BROKERX_MASTER_KEY || ownKey);
  // Without a usable key command-api refuses to start, with a better message.
  if (services || !masterKey) return sameForAll(ownerUrl);
  const passwords = rolePasswords(masterKey, databaseOf(ownerUrl));
  const prepare = () => prepareDatabase({ ownerUrl, root, passwords, schemas: schemasKeptIn(env), log });
  return repeating(realRuntime, DATABASE_BACK_MS, prepare, {
    isTransient: (error) => isTransient(error) || (error instanceof Error && isTransient(error.cause)),
  });
}

/** Milliseconds in which a database that was killed meanwhile is back; usually seconds, longer on a busy machine. */
const DATABASE_BACK_MS = 60_000;

const CONNECT_TIMEOUT_MS = 5_000;

async function refuseAbsentDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  try {
    await client.connect();
    await client.end();
  } catch (error) {
    const address = { tls: postgresSpeaksTls(url), shown: shownServer(url) };
    const { message } = connectionFault('DATABASE_URL', error, address);
    throw new StartRefused(`${message} Unset DATABASE_URL to use the embedded database.`, { cause: error });
  }
}

async function refuseAbsentEventStore(url: string): Promise<void> {
  const { reachEventStoreDb } = await import('@brokerx/infra/eventStore/eventstoredb/reachable.ts');
  try {
    await reachEventStoreDb({ url, runtime: realRuntime });
  } catch (error) {
    const { message } = eventStoreFault(url, error);
    throw new StartRefused(`${message} Unset EVENTSTORE_URL to keep events in the database.`, {
      cause: error,
    });
  }
}

const INTERRUPTED = 'the start was interrupted; nothing of it is left running';

function abandoned(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const abandon = () => reject(new StartRefused(INTERRUPTED));
    if (signal?.aborted) abandon();
    else signal?.addEventListener('abort', abandon, { once: true });
  });
}
