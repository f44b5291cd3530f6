import type { Lease, Log, Snapshots } from '@brokerx/infra';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';

/**
 * A shard of symbols whose outputs this process settles, for as long as it has the lease. It carries its own place in
 * the store and saves its own cursor, so that whoever has the shard next goes on from there, whatever the others of
 * this process do.
 */
export type SettledShard = {
  readonly shard: string;
  /** Everything of the shard up to here is settled or parked. */
  position: number;
  /** Position of the saved cursor. */
  saved: number;
  /** The lease is gone: what is left of its outputs is another process's. */
  isOver: boolean;
};

const cursorOf = (shard: string) => ({ kind: 'settlement', key: `shard-${shard}`, version: 1 }) as const;
/** Where all symbols together stood, before they were shared. */
const CURSOR_OF_ALL = { kind: 'settlement', key: 'all', version: 1 } as const;

/** A cursor is all that there is. */
const stateless = () => null;

/** The shard as its last owner left it. */
export async function settledShard(snapshots: Snapshots, shard: string, lease: Lease): Promise<SettledShard> {
  const found =
    (await snapshots.load(cursorOf(shard), stateless)) ?? (await snapshots.load(CURSOR_OF_ALL, stateless));
  const position = found?.cursor.position ?? 0;
  return { shard, position, saved: position, isOver: lease.lost.aborted };
}

/** Saves where the shards stand, those that have moved; what is parked of one (from `heldFrom` on) is read again. */
export async function saveCursors(
  options: {
    snapshots: Snapshots;
    storeId: string;
    log: Log;
    heldFrom(shard: SettledShard): number;
  },
  shards: Iterable<SettledShard>,
): Promise<void> {
  const { snapshots, storeId, log, heldFrom } = options;
  for (const its of shards) {
    const position = Math.min(its.position, heldFrom(its) - 1);
    if (position <= its.saved || its.isOver) continue;
    try {
      const cursor = { storeId, position };
      await snapshots.save(cursorOf(its.shard), { cursor, revision: -1, state: '{}' });
      its.saved = position;
    } catch (err) {
      log[unlessOutage(err, 'warn')](
        { err, shard: its.shard },
        'a cursor of settlement could not be saved; a restart repeats more',
      );
    }
  }
}
