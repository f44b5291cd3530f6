import pg from 'pg';
import type { DiskSpace } from '../runtime/diskSpace.ts';
import type { Log } from '../runtime/log.ts';
import { mayFail } from '../runtime/mayFail.ts';
import { type Outage, outage } from '../runtime/outage.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { serverOf } from './serverAddress.ts';

/**
 * Whether a PostgreSQL has no space left on its disk, found out once for a process: any statement that failed for that
 * tells. Queries are answered meanwhile, and what waits to be written is tried again; new work need not be taken. It is
 * over once something can be written, which is tried now and then.
 */
export function foundFull(databaseUrl: string, error: Error, log: Log): void {
  const server = serverOf(databaseUrl);
  const known = shortages.get(server);
  if (known) return known.failed(error);
  const shortage = outage({
    log,
    runtime: realRuntime,
    server: `the disk of PostgreSQL (${server})`,
    ...WORDS,
  });
  shortage.failed(error);
  shortages.set(server, shortage);
  void untilWritable(databaseUrl, waitMsOf(server), shortage).then(() => {
    shortages.delete(server);
    endedMs.set(server, realRuntime.monotonicMs());
    shortage.answered();
  });
}

/** What stands in the way of writing to this database; null while nothing does. */
export const databaseDisk = (databaseUrl: string): DiskSpace => ({
  shortage: () => (shortages.has(serverOf(databaseUrl)) ? SHORTAGE : null),
});

export const NO_SPACE_CODE = '53100';
const SHORTAGE = 'the disk of the database is full: free some space there';
const WORDS = {
  meaning: 'nothing is stored there; free some space; what waits is tried again',
  trouble: 'full',
  until: 'there is space',
  over: 'has space again',
};

/** Servers whose disk is full. */
const shortages = new Map<string, Outage>();
/** When that was over the last time, and how long was waited between tries. */
const endedMs = new Map<string, number>();
const waitsMs = new Map<string, number>();

/** A second; longer where it comes back again and again, so that the log does not fill with it. */
const TRY_FIRST_MS = 1_000;
const TRY_LAST_MS = 30_000;
const BACK_SOON_MS = 60_000;

function waitMsOf(server: string): number {
  const sinceMs = realRuntime.monotonicMs() - (endedMs.get(server) ?? Number.NEGATIVE_INFINITY);
  const waitMs =
    sinceMs < BACK_SOON_MS ? Math.min(TRY_LAST_MS, 2 * (waitsMs.get(server) ?? 0)) : TRY_FIRST_MS;
  waitsMs.set(server, waitMs);
  return waitMs;
}

const CONNECT_TIMEOUT_MS = 15_000;
/** Sorts more than its memory holds, so the server writes 8 MB to a temporary file: any role may, and nothing is kept. */
const WRITES = `
  set work_mem = '64kB';
  set statement_timeout = '15s';
  select count(*) from (select repeat('x', 1000) || i as text from generate_series(1, 8000) i order by 1 offset 1) t`;

async function untilWritable(databaseUrl: string, waitMs: number, shortage: Outage): Promise<void> {
  for (;;) {
    // No reason to keep a process that ends otherwise.
    await new Promise<void>((resolve) => setTimeout(resolve, waitMs).unref());
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'brokerx disk watch',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    client.on('error', (error) => shortage.failed(error));
    try {
      await client.connect();
      await client.query(WRITES);
      return;
    } catch (error) {
      shortage.failed(error);
    } finally {
      await mayFail(client.end(), 'it is lost either way');
    }
  }
}
