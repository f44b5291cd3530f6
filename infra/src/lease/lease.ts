/**
 * A lease gives a single-owner role (timer, task list, shard of symbols, projection) to one process at a time.
 * Each acquisition has a higher epoch than the one before, so that what a slow former owner still does can be
 * recognised. An owner of the same name (the supervisor's restarted process) takes over at once.
 */
export type Lease = {
  readonly name: string;
  /** Grows by one with each acquisition of this name, for ever. */
  readonly epoch: number;
  /** Aborted when the lease is lost or released; the owner must stop at once. */
  readonly lost: AbortSignal;
  /** By the clock of this very moment: a process that slept is told here before any of its timers runs. */
  isHeld(): boolean;
  release(): Promise<void>;
};

/** A lease that runs now, and whose it is. */
export type RunningLease = { name: string; owner: string };

export type Leases = {
  /** Whose leases these are: the same for a restarted process as for the one before it. */
  readonly owner: string;
  /** Takes the lease when it is free, expired or held by the same owner; null when another one holds it. */
  tryAcquire(name: string): Promise<Lease | null>;
  /** Waits until it can be acquired or `signal` is aborted (then null). */
  acquire(name: string, signal: AbortSignal): Promise<Lease | null>;
  /** Everybody's leases that run now. */
  running(): Promise<RunningLease[]>;
  /** Frees all that is held. */
  close(): Promise<void>;
};

/** In the name of a lease by which a process only shows that it is there: nothing is fenced by its epoch. */
export const MEMBER_MARK = '#';
