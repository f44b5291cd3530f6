import { isTransient, openPool, safeInteger } from '../postgres/postgres.ts';
import { migrateState } from '../postgres/stateSchema.ts';
import type { Log } from '../runtime/log.ts';
import { repeating } from '../runtime/retry.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { LeaseEpoch } from './holding.ts';
import { type Leases, MEMBER_MARK, type RunningLease } from './lease.ts';
import { LEASE_TTL_MS, leasesOver } from './leasesOver.ts';

/** Leases in PostgreSQL (`state.lease`): one row for each name, with the database's clock for all owners. */
export async function postgresLeases(options: {
  databaseUrl: string;
  /** The process's name: a restarted process has the same one, and no two running processes share one. */
  owner: string;
  runtime: Runtime;
  ttlMs?: number;
  log?: Log | undefined;
}): Promise<Leases> {
  const { databaseUrl, runtime, ttlMs = LEASE_TTL_MS, log } = options;
  await repeating(runtime, REPEAT_MS, () => migrateState(databaseUrl), { isTransient });
  const pool = openPool({
    databaseUrl,
    max: CONNECTIONS,
    applicationName: 'brokerx lease',
    // A slower renewal is given up and repeated while there is still time.
    statementTimeoutMs: Math.ceil(ttlMs / 3),
    log,
  });

  await repeating(runtime, REPEAT_MS, () => pool.query(FORGET_MEMBERS), { isTransient });

  return leasesOver(
    {
      async take(name, owner, ttl) {
        const { rows } = await pool.query<{ epoch: string }>(TAKE, [name, owner, ttl]);
        return rows[0] ? safeInteger(rows[0].epoch) : null;
      },
      async renew(owner, leases, ttl) {
        const { rows } = await pool.query<{ name: string }>({
          name: 'lease_renew',
          text: RENEW,
          values: [owner, ...columnsOf(leases), ttl],
        });
        return new Set(rows.map(({ name }) => name));
      },
      async free(owner, leases) {
        await pool.query(FREE, [owner, ...columnsOf(leases)]);
      },
      async running() {
        const { rows } = await pool.query<RunningLease>({
          name: 'lease_running',
          text: RUNNING,
          values: [ttlMs],
        });
        return rows;
      },
      close: () => pool.end(),
    },
    options,
  );
}

/** Connections: one renews while the other acquires. */
const CONNECTIONS = 2;
/** Milliseconds for which the start waits for a server that is away. */
const REPEAT_MS = 10_000;

/** Always in the same order, so that two processes which both believe that they hold leases never deadlock. */
function columnsOf(leases: readonly LeaseEpoch[]): [names: string[], epochs: number[]] {
  const sorted = leases.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [sorted.map(({ name }) => name), sorted.map(({ epoch }) => epoch)];
}

const TTL = `interval '1 millisecond'`;

/**
 * How many TTLs ahead an expiry may lie. One further ahead was written before the database's clock went back, and counts as
 * expired: nobody waits until that time has come again. After a small step back the owner keeps its lease.
 */
const AHEAD_TTLS = 3;
const runs = (expiresAt: string, ttl: string) =>
  `(${expiresAt} > clock_timestamp() and ${expiresAt} <= clock_timestamp() + ${AHEAD_TTLS} * (${ttl} * ${TTL}))`;

const TAKE = `
  insert into state.lease as l (name, owner, epoch, expires_at)
  values ($1, $2, 1, clock_timestamp() + $3 * ${TTL})
  on conflict (name) do update
    set owner = excluded.owner, epoch = l.epoch + 1, expires_at = clock_timestamp() + $3 * ${TTL}
    where l.owner is null or l.owner = excluded.owner or not ${runs('l.expires_at', '$3')}
  returning epoch`;

const HELD = `from unnest($2::text[], $3::bigint[]) as held (name, epoch)
  where l.name = held.name and l.epoch = held.epoch and l.owner = $1`;

const RENEW = `update state.lease l set expires_at = clock_timestamp() + $4 * ${TTL} ${HELD} returning l.name`;

const FREE = `update state.lease l set owner = null ${HELD}`;

const RUNNING = `select name, owner from state.lease where owner is not null and ${runs('expires_at', '$1')}`;

/** Deletes old rows of members: where every new process has a new name, they would pile up for ever. */
const FORGET_MEMBERS = `
  delete from state.lease
   where strpos(name, '${MEMBER_MARK}') > 0 and expires_at < clock_timestamp() - interval '1 day'`;
