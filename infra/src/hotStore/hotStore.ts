import type { Cursor } from '../eventStore/cursor.ts';

/**
 * The hot store port: small values by key that are read at once (depth, ticker, last trades). A view's values and the cursor
 * that they reflect change in one step and are lost together; all of it can be rebuilt.
 */
export type HotView = {
  /** The cursor that the values reflect, with its landmark; null when the view is empty (new, flushed or lost). */
  cursor(): Promise<Cursor | null>;
  /**
   * Sets and removes keys and moves the cursor from `from` to `to`, in one step. Changes nothing and returns `stale` if the
   * stored cursor is not `from`: another process wrote, or the view was lost. Then read it again.
   */
  write(change: {
    from: Cursor | null;
    to: Cursor;
    set: ReadonlyMap<string, string>;
    remove?: readonly string[];
  }): Promise<'ok' | 'stale'>;
  /** The values of the keys (null if absent) and the cursor, all of the same moment. */
  read(keys: readonly string[]): Promise<{ values: (string | null)[]; cursor: Cursor | null }>;
  /** Drops values and cursor. */
  clear(): Promise<void>;
  /** Calls `listener` soon after a write by any process, with the new position. */
  onChange(listener: (position: number) => void): () => void;
};

export type HotStore = {
  /** The view of this name and version; each version is a view of its own. */
  view(name: string, version: number): HotView;
  close(): Promise<void>;
};
