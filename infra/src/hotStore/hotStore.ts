import type { Cursor } from '../eventStore/cursor.ts';

/**
 * The hot store port: small values by key for reading at once (depth, ticker, last trades). Values and the cursor
 * they reflect change in one step and are lost together; nothing here is precious.
 */
export type HotView = {
  /** The cursor that the values reflect, with its landmark; null when the view is empty (new, flushed or lost). */
  cursor(): Promise<Cursor | null>;
  /**
   * Sets and deletes keys and moves the cursor from `from` to `to` in one step. `stale` (and nothing changed)
   * when the stored cursor is not `from`: another writer was here, or the view was lost; read it again.
   */
  write(change: {
    from: Cursor | null;
    to: Cursor;
    set: ReadonlyMap<string, string>;
    remove?: readonly string[];
  }): Promise<'ok' | 'stale'>;
  /** The values of the keys (null where absent) and the cursor, read as of one moment. */
  read(keys: readonly string[]): Promise<{ values: (string | null)[]; cursor: Cursor | null }>;
  /** Drops values and cursor. */
  clear(): Promise<void>;
  /** Calls back soon after a write by anyone, with the position it moved to. */
  onChange(listener: (position: number) => void): () => void;
};

export type HotStore = {
  /** A view is addressed by name and version; another version's values are another view. */
  view(name: string, version: number): HotView;
  close(): Promise<void>;
};
