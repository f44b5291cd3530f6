import type { Cursor } from '../eventStore/cursor.ts';
import { type Past, type PastOf, pastOf } from '../eventStore/past.ts';
import type { Log } from '../runtime/log.ts';

/**
 * The snapshot port: saves folded states with their cursors, so that no start has to fold all events. A snapshot is never the
 * truth: one of another store, of another past of this store (`past.ts`) or of another code version is ignored, and so is a
 * damaged one. A loaded cursor is therefore always valid in the store; without one the reader begins at the beginning.
 */
export type SnapshotKey = {
  /** The kind of state: `account`, `book`, `market-data`, `settlement`, … */
  kind: string;
  key: string;
  /** Version of the code that wrote the state; another version's snapshot is ignored. */
  version: number;
};

export type Snapshot = {
  cursor: Cursor;
  /** Revision of the one stream that the state folds; -1 if it folds none or many. */
  revision: number;
  /** JSON text. */
  state: string;
  /** Binary pieces of a large state, each of at most `SNAPSHOT_PART_BYTES_MAX` bytes; absent if there are none. */
  parts?: readonly Uint8Array[];
};

/** Bytes that are copied and sent without a noticeable pause. */
export const SNAPSHOT_PART_BYTES_MAX = 1_048_576;
/** 4 GiB: more would not fit into the memory of the process that restores it. */
export const SNAPSHOT_PARTS_MAX = 4_096;

export function assertParts(name: string, parts: readonly Uint8Array[]): void {
  if (parts.length > SNAPSHOT_PARTS_MAX) throw new RangeError(`${name}: ${parts.length} parts of a snapshot`);
  const largest = parts.reduce((most, { byteLength }) => Math.max(most, byteLength), 0);
  if (largest > SNAPSHOT_PART_BYTES_MAX) throw new RangeError(`${name}: a part of ${largest} bytes`);
}

export type Snapshots = {
  /**
   * The newest undamaged snapshot of this key and version that belongs to this store's past and that `read` accepts, or null.
   * A damaged one, or one that makes `read` throw, is logged with its key, and the previous one is tried; so it is after one
   * of another past.
   */
  load<T>(key: SnapshotKey, read: (snapshot: Snapshot) => T): Promise<Loaded<T> | null>;
  /** Saves a snapshot and keeps the previous one; does nothing if the snapshot is older than the newest. */
  save(key: SnapshotKey, snapshot: Snapshot): Promise<void>;
  /** The keys of a kind and version, sorted, including those of damaged snapshots. */
  keys(kind: string, version: number): Promise<string[]>;
  close(): Promise<void>;
};

/** `isNewest` is false if a newer snapshot was damaged or of another past. */
export type Loaded<T> = Pick<Snapshot, 'cursor' | 'revision'> & { state: T; isNewest: boolean };

/** A stored snapshot, or the damage that was found in it. */
export type Stored = { position: string } & ({ snapshot: Snapshot } | { damage: string });

/** The options that all adapters share. */
export type SnapshotOptions = {
  /** The store to which the cursors belong. */
  store: PastOf;
  log?: Pick<Log, 'warn'> | undefined;
};

/** The store's past, and the kinds of which a snapshot from another past was already logged. */
export type SnapshotPast = Past & { loggedKinds: Set<string> };
export const snapshotPast = (store: PastOf): SnapshotPast => ({ ...pastOf(store), loggedKinds: new Set() });

/**
 * Reads the newest readable snapshot: the rule of every adapter. `remove` deletes a snapshot that is damaged or of another
 * past: its position could be higher than that of newer ones, which would then not be saved.
 */
export async function firstReadable<T>(
  { kind, key, version }: SnapshotKey,
  generations: AsyncIterable<Stored> | Iterable<Stored>,
  read: (snapshot: Snapshot) => T,
  options: { past: SnapshotPast; log: SnapshotOptions['log']; remove(stored: Stored): Promise<void> },
): Promise<Loaded<T> | null> {
  const { past, log, remove } = options;
  let isNewest = true;
  for await (const stored of generations) {
    const fields = { snapshot: `${kind} ${key}`, version, position: stored.position };
    if ('damage' in stored) {
      log?.warn({ ...fields, damage: stored.damage }, DAMAGED);
      await remove(stored);
    } else if (!(await past.stands(stored.snapshot.cursor))) {
      // There may be one for each account: only the first is logged.
      if (!past.loggedKinds.has(kind)) log?.warn(fields, OF_ANOTHER_PAST);
      past.loggedKinds.add(kind);
      await remove(stored);
    } else {
      const { cursor, revision } = stored.snapshot;
      try {
        return { state: read(stored.snapshot), cursor, revision, isNewest };
      } catch (error) {
        log?.warn({ ...fields, damage: String(error) }, DAMAGED);
      }
    }
    isNewest = false;
  }
  return null;
}

const OF_ANOTHER_PAST =
  'snapshots of this kind are of another past of the event store, or do not say of which: their states are made anew';
const DAMAGED = 'a snapshot is damaged and left out: its state is rebuilt from the event store';
