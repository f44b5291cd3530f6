import type { Lease, Log, Snapshots } from '@brokerx/infra';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';

/**
 * A shard of symbols whose outputs this process settles for as long as it has the lease. Each shard has its own position
 * and saves its own cursor, so that its next owner goes on from there, whatever the other shards do.
 */
export type SettledShard = {
  readonly shard: string;
  /** Everything of the shard up to here is settled or parked. */
  position: number;
  /** Position of the saved cursor. */
  saved: number;
  /** The lease is lost: another process settles the remaining outputs. */
  isOver: boolean;
};

const cursorOf = (shard: string) => ({ kind: 'settlement', key: `shard-${shard}`, version: 1 }) as const;
/** The one cursor of all symbols that earlier versions saved. */
const CURSOR_OF_ALL = { kind: 'settlement', key: 'all', version: 1 } as const;

/** The snapshot has a cursor and no state. */
const stateless = () => null;

/** Loads the shard with the cursor that its last owner saved. */
export async function settledShard(snapshots: Snapshots, shard: string, lease: Lease): Promise<SettledShard> {
  const snapshot =
    (await snapshots.load(cursorOf(shard), stateless)) ?? (await snapshots.load(CURSOR_OF_ALL, stateless));
  const position = snapshot?.cursor.position ?? 0;
  return { shard, position, saved: position, isOver: lease.lost.aborted };
}

/** Saves the cursors of shards that have moved. Parked outputs, from `heldFrom` on, are read again after a restart. */
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
  for (const owned of shards) {
    const position = Math.min(owned.position, heldFrom(owned) - 1);
    if (position <= owned.saved || owned.isOver) continue;
    try {
      const cursor = { storeId, position };
      await snapshots.save(cursorOf(owned.shard), { cursor, revision: -1, state: '{}' });
      owned.saved = position;
    } catch (err) {
      log[unlessOutage(err, 'warn')](
        { err, shard: owned.shard },
        'a cursor of settlement could not be saved; a restart repeats more',
      );
    }
  }
}
