/**
 * A lease gives a single-owner role (timer, task list, shard of symbols, projection) to one process at a time. Each
 * acquisition has a higher epoch than the one before, by which late writes of a slow former owner are recognised. A process
 * of the same name, which the supervisor restarted, takes over at once.
 */
export type Lease = {
  readonly name: string;
  /** Grows by one with each acquisition of this name, for ever. */
  readonly epoch: number;
  /** Aborted when the lease is lost or released: the owner must stop at once. */
  readonly lost: AbortSignal;
  /** Whether the lease is held, by the clock at this moment: after a suspension it is false before any timer has run. */
  isHeld(): boolean;
  release(): Promise<void>;
};

/** A lease that has not expired, and its owner. */
export type RunningLease = { name: string; owner: string };

export type Leases = {
  /** The name of the process that owns these leases; a restarted process has the same one. */
  readonly owner: string;
  /** Acquires the lease if it is free, expired or this owner's; null while another owner holds it. */
  tryAcquire(name: string): Promise<Lease | null>;
  /** Waits until the lease can be acquired; null when `signal` was aborted before that. */
  acquire(name: string, signal: AbortSignal): Promise<Lease | null>;
  /** The running leases of all owners. */
  running(): Promise<RunningLease[]>;
  /** Releases all leases. */
  close(): Promise<void>;
};

/** Marks the name of a lease that only shows that a process is alive: nothing depends on its epoch. */
export const MEMBER_MARK = '#';
