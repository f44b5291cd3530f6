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
};

export type Snapshots = {
  /** The newest snapshot for this key and version from this store, or null. */
  load(key: SnapshotKey): Promise<Snapshot | null>;
  /** Keeps it beside the one before (two generations); one older than the newest is dropped silently. */
  save(key: SnapshotKey, snapshot: Snapshot): Promise<void>;
  /** Keys of a kind and version, sorted. */
  keys(kind: string, version: number): Promise<string[]>;
  close(): Promise<void>;
};
