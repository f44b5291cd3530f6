/**
 * The tally port: how often something happened lately, by key, for limits to rest on. A key's window begins with its
 * first count; when it is over, it is as if nothing had happened. Nothing in it is precious.
 */
export type Tally = {
  /** Counts one more and tells how the key stands then; of many at once each is told another count. */
  count(key: string): Promise<Standing>;
  /** How the key stands; counts nothing. */
  read(key: string): Promise<Standing>;
};

/** `leftMs`: how long the window goes on; 0 when nothing was counted. */
export type Standing = { count: number; leftMs: number };

export type TallyOptions = {
  windowMs: number;
  /** Keys that a process remembers by itself; beyond it the longest untouched begins anew. */
  keysMax: number;
};

export type Tallies = {
  /** A tally is addressed by name. */
  tally(name: string, options: TallyOptions): Tally;
  close(): Promise<void>;
};

export const NOTHING_COUNTED: Standing = Object.freeze({ count: 0, leftMs: 0 });
