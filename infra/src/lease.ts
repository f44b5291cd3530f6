/**
 * A lease gives a single-owner role (settler, timer, engine of a symbol, projection) to one process at a time.
 * Each acquisition has a higher epoch than the one before, so that what a slow former owner still does can be
 * recognised. An owner of the same name (the supervisor's restarted process) takes over at once.
 */
export type Lease = {
  readonly name: string;
  /** Grows by one with each acquisition of this name, for ever. */
  readonly epoch: number;
  /** Aborted when the lease is lost or released; the owner must stop at once. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
};

export type Leases = {
  /** Takes the lease when it is free, expired or held by the same owner; null when another one holds it. */
  tryAcquire(name: string): Promise<Lease | null>;
  /** Waits until it can be acquired or `signal` is aborted (then null). */
  acquire(name: string, signal: AbortSignal): Promise<Lease | null>;
  close(): Promise<void>;
};
