import pg from 'pg';
import type { Log } from '../runtime/log.ts';
import { mayFail } from '../runtime/mayFail.ts';
import { type Outage, sharedOutage } from '../runtime/outage.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { foundFull, NO_SPACE_CODE } from './fullDisk.ts';
import { serverOf } from './serverAddress.ts';

/**
 * Whether PostgreSQL is away, found out once for a process: all pools and listeners of one server tell the same watch
 * when a connection breaks or does not come about. It tries a connection of its own at once. Where the server answers,
 * only that connection was ended, which is a detail; else it is an outage, until such a try succeeds.
 */
function connectionLost(databaseUrl: string, error: unknown, log: Log): void {
  const server = serverOf(databaseUrl);
  watches.get(server)?.failed(error);
  if (watches.has(server)) return;
  const told = sharedOutage({
    log,
    runtime: realRuntime,
    server: `PostgreSQL (${server})`,
    meaning: MEANING,
  });
  watches.set(server, told);
  void watch(databaseUrl, told).then((failures) => {
    watches.delete(server);
    if (failures === 0) log.debug({ err: error }, `a connection was ended; PostgreSQL (${server}) answers`);
  });
}

/** A client that tells of its own loss, and of a server that has no space left. */
export function watchedClient(databaseUrl: string, log: Log | undefined): typeof pg.Client {
  if (!log) return pg.Client;
  const broken = (error: unknown) => connectionLost(databaseUrl, error, log);
  const answered = (error: Error & { code?: string }) => {
    if (error.code === NO_SPACE_CODE) foundFull(databaseUrl, error, log);
  };
  const lost = (error: unknown) => {
    if (!isAnswer(error)) broken(error);
  };
  return class extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      super(config);
      this.on('error', broken);
      this.connection.on('errorMessage', answered);
    }
    override connect(): Promise<pg.Client>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
      if (!callback) {
        const connected = super.connect();
        connected.catch(lost);
        return connected;
      }
      super.connect((error: Error) => {
        if (error) lost(error);
        callback(error);
      });
      return undefined;
    }
  };
}

/** Servers on which a connection was lost, until it is known that they answer. */
const watches = new Map<string, Outage>();

/** What no service does without its database. */
const MEANING = 'nothing is read or stored there; what waits for it is tried again';
/** A server that starts again should be noticed at once; a machine that is away for hours is asked once a second. */
const TRY_FIRST_MS = 20;
const TRY_LAST_MS = 1_000;
const CONNECT_TIMEOUT_MS = 15_000;

/** Tries until the server answers; gives how many tries failed. */
async function watch(databaseUrl: string, told: Outage): Promise<number> {
  for (let failures = 0; ; failures++) {
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'brokerx watch',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    client.on('error', (error) => told.failed(error));
    try {
      await client.connect();
      await client.query('select');
      told.answered();
      return failures;
    } catch (error) {
      if (isAnswer(error)) {
        told.answered();
        return failures;
      }
      told.failed(error);
    } finally {
      await mayFail(client.end(), 'it is lost either way');
    }
    // No reason to keep a process that ends otherwise.
    const waitMs = Math.min(TRY_LAST_MS, TRY_FIRST_MS * 2 ** Math.min(failures, 10));
    await new Promise<void>((resolve) => setTimeout(resolve, waitMs).unref());
  }
}

/** A refusal in words (no such database, too many connections) comes from a server that is there. */
function isAnswer(error: unknown): boolean {
  const code = error instanceof pg.DatabaseError ? (error.code ?? '') : '';
  return code !== '' && !code.startsWith('57P') && !code.startsWith('08');
}
