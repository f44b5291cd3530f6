import type { Leases } from './lease.ts';
import { LEASE_TTL_MS, leasesOver } from './leaseHolding.ts';
import type { Log } from './log.ts';
import { openPool, repeating, safeInteger } from './postgres.ts';
import type { Runtime } from './runtime.ts';
import { migrateState } from './snapshots.postgres.ts';

/** Leases in PostgreSQL (`state.lease`): a row for each name, and the database's clock for all owners. */
export async function postgresLeases(options: {
  databaseUrl: string;
  /** The same for a restarted process as for the one before it; different for each process that runs. */
  owner: string;
  runtime: Runtime;
  ttlMs?: number;
  log?: Log | undefined;
}): Promise<Leases> {
  const { databaseUrl, runtime, ttlMs = LEASE_TTL_MS, log } = options;
  await repeating(runtime, REPEAT_MS, () => migrateState(databaseUrl));
  const pool = openPool({
    databaseUrl,
    max: CONNECTIONS,
    applicationName: 'brokerx lease',
    // A renewal that takes longer is tried again while there is still time.
    statementTimeoutMs: Math.ceil(ttlMs / 3),
    log,
  });

  return leasesOver(
    {
      async take(name, owner, ttl) {
        const { rows } = await pool.query<{ epoch: string }>(TAKE, [name, owner, ttl]);
        return rows[0] ? safeInteger(rows[0].epoch) : null;
      },
      async renew(name, owner, epoch, ttl) {
        return (await pool.query(RENEW, [name, owner, epoch, ttl])).rowCount === 1;
      },
      async free(name, owner, epoch) {
        await pool.query(FREE, [name, owner, epoch]);
      },
      close: () => pool.end(),
    },
    options,
  );
}

/** Several leases are renewed beside each other. */
const CONNECTIONS = 2;
/** Milliseconds for which the start waits for a server that is away. */
const REPEAT_MS = 10_000;

const TTL = `interval '1 millisecond'`;

const TAKE = `
  insert into state.lease as l (name, owner, epoch, expires_at)
  values ($1, $2, 1, clock_timestamp() + $3 * ${TTL})
  on conflict (name) do update
    set owner = excluded.owner, epoch = l.epoch + 1, expires_at = clock_timestamp() + $3 * ${TTL}
    where l.owner is null or l.owner = excluded.owner or l.expires_at <= clock_timestamp()
  returning epoch`;

const RENEW = `
  update state.lease set expires_at = clock_timestamp() + $4 * ${TTL}
   where name = $1 and owner = $2 and epoch = $3`;

const FREE = `update state.lease set owner = null where name = $1 and owner = $2 and epoch = $3`;
