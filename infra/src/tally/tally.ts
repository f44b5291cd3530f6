/**
 * The tally port: counts by key how often something happened lately, for rate limits. A key's window begins with its first
 * count; when it is over, counting starts again at 0. Counts may be lost.
 */
export type Tally = {
  /** Adds one and returns the new count; concurrent calls get different counts. */
  count(key: string): Promise<Standing>;
  /** Returns the count without changing it. */
  read(key: string): Promise<Standing>;
};

/** `leftMs`: milliseconds until the window ends; 0 if nothing was counted. */
export type Standing = { count: number; leftMs: number };

export type TallyOptions = {
  windowMs: number;
  /** Keys that a process remembers; beyond this many, the longest unused key is forgotten. */
  keysMax: number;
};

export type Tallies = {
  /** The tally of this name. */
  tally(name: string, options: TallyOptions): Tally;
  close(): Promise<void>;
};

export const NOTHING_COUNTED: Standing = Object.freeze({ count: 0, leftMs: 0 });
