import type { Cursor } from '../eventStore/cursor.ts';
import { type Past, type PastOf, pastOf } from '../eventStore/past.ts';
import type { Log } from '../runtime/log.ts';

/**
 * The snapshot port: states and cursors kept so that nobody folds from the beginning of time. Never a truth: a snapshot of
 * another store, of another past of this one (`past.ts`) or of another code version is not there, and neither is one that is
 * damaged. So whoever keeps a cursor here finds one that stands in the store, or none, and begins anew.
 */
export type SnapshotKey = {
  /** What it is of: `account`, `book`, `market-data`, `settlement`, … */
  kind: string;
  key: string;
  /** Version of the code that wrote the state; another version's snapshot is ignored. */
  version: number;
};

export type Snapshot = {
  cursor: Cursor;
  /** Revision of the stream that the state folds, or -1 where it folds none or many. */
  revision: number;
  /** JSON text. */
  state: string;
  /** What of a large state is no text, in pieces of at most `SNAPSHOT_PART_BYTES_MAX`; absent where there are none. */
  parts?: readonly Uint8Array[];
};

/** So much is copied and sent without anybody having to wait for it. */
export const SNAPSHOT_PART_BYTES_MAX = 1_048_576;
/** 4 GiB: more would not fit into the memory of whoever restores it. */
export const SNAPSHOT_PARTS_MAX = 4_096;

export function assertParts(name: string, parts: readonly Uint8Array[]): void {
  if (parts.length > SNAPSHOT_PARTS_MAX) throw new RangeError(`${name}: ${parts.length} parts of a snapshot`);
  const largest = parts.reduce((most, { byteLength }) => Math.max(most, byteLength), 0);
  if (largest > SNAPSHOT_PART_BYTES_MAX) throw new RangeError(`${name}: a part of ${largest} bytes`);
}

export type Snapshots = {
  /**
   * The newest snapshot for this key and version from this past of this store that is whole and that `read` understands,
   * or null. One that is damaged in whatever way, or makes `read` throw, is a warning with its key; the one before it
   * counts then, as before one of another past.
   */
  load<T>(key: SnapshotKey, read: (snapshot: Snapshot) => T): Promise<Loaded<T> | null>;
  /** Keeps it beside the one before (two generations); one older than the newest is dropped silently. */
  save(key: SnapshotKey, snapshot: Snapshot): Promise<void>;
  /** Keys of a kind and version, sorted; those of damaged ones, too. */
  keys(kind: string, version: number): Promise<string[]>;
  close(): Promise<void>;
};

/** `isNewest` is false where a newer one was damaged, or of another past. */
export type Loaded<T> = Pick<Snapshot, 'cursor' | 'revision'> & { state: T; isNewest: boolean };

/** A snapshot as it lies there: whole, or what is wrong with it. */
export type Kept = { position: string } & ({ snapshot: Snapshot } | { damage: string });

/** What every adapter is given beside the place where it keeps them. */
export type SnapshotOptions = {
  /** Whose positions these are, and whose past they have to be of. */
  store: PastOf;
  log?: Pick<Log, 'warn'> | undefined;
};

/** What the adapters share: the past that is asked for, and of which kinds it was told that some were of another one. */
export type SnapshotPast = Past & { toldOfKinds: Set<string> };
export const snapshotPast = (store: PastOf): SnapshotPast => ({ ...pastOf(store), toldOfKinds: new Set() });

/**
 * Reads the first of these that can be read, from the newest on: the rule of every adapter. `remove` takes away what is
 * damaged or of another past: its position would keep newer ones out.
 */
export async function firstReadable<T>(
  { kind, key, version }: SnapshotKey,
  generations: AsyncIterable<Kept> | Iterable<Kept>,
  read: (snapshot: Snapshot) => T,
  given: { past: SnapshotPast; log: SnapshotOptions['log']; remove(kept: Kept): Promise<void> },
): Promise<Loaded<T> | null> {
  let isNewest = true;
  for await (const kept of generations) {
    const about = { snapshot: `${kind} ${key}`, version, position: kept.position };
    if ('damage' in kept) {
      given.log?.warn({ ...about, damage: kept.damage }, DAMAGED);
      await given.remove(kept);
    } else if (!(await given.past.stands(kept.snapshot.cursor))) {
      // There may be one for each account: the first is told.
      if (!given.past.toldOfKinds.has(kind)) given.log?.warn(about, OF_ANOTHER_PAST);
      given.past.toldOfKinds.add(kind);
      await given.remove(kept);
    } else {
      const { cursor, revision } = kept.snapshot;
      try {
        return { state: read(kept.snapshot), cursor, revision, isNewest };
      } catch (error) {
        given.log?.warn({ ...about, damage: String(error) }, DAMAGED);
      }
    }
    isNewest = false;
  }
  return null;
}

const OF_ANOTHER_PAST =
  'snapshots of this kind are of another past of the event store, or do not say of which: their states are made anew';
const DAMAGED = 'a snapshot is damaged and left out: its state is rebuilt from the event store';
