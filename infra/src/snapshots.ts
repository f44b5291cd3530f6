import type { Cursor } from './feed.ts';

/**
 * The snapshot port: states kept so that nobody folds from the beginning of time. Never a truth: a snapshot of
 * another store or of another code version is not there.
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
  /** The newest snapshot for this key and version from this store, or null. */
  load(key: SnapshotKey): Promise<Snapshot | null>;
  /** Keeps it beside the one before (two generations); one older than the newest is dropped silently. */
  save(key: SnapshotKey, snapshot: Snapshot): Promise<void>;
  /** Keys of a kind and version, sorted. */
  keys(kind: string, version: number): Promise<string[]>;
  close(): Promise<void>;
};
