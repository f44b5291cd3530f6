import type { Log } from '../runtime/log.ts';
import { unlessOutage } from '../runtime/outage.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Lease, RunningLease } from './lease.ts';

/** The table in which leases are stored. Its own clock decides when a lease has expired. */
export type LeaseTable = {
  /** Takes a lease: returns its new epoch, or null while another owner's lease runs. */
  take(name: string, owner: string, ttlMs: number): Promise<number | null>;
  /** Renews the leases in one step; returns the names of those that still have this owner and epoch. */
  renew(owner: string, leases: readonly LeaseEpoch[], ttlMs: number): Promise<ReadonlySet<string>>;
  /** Frees the leases that still have this owner and epoch. */
  free(owner: string, leases: readonly LeaseEpoch[]): Promise<void>;
  running(): Promise<RunningLease[]>;
  close(): Promise<void>;
};
export type LeaseEpoch = { name: string; epoch: number };

/** The share of the TTL, counted from the last request, after which an owner gives up: before another may begin. */
const GIVE_UP_AT = 0.8;
/** How many TTLs a lease may stay in doubt. */
const DOUBT_TTLS = 6;

/**
 * One lease that this process has, until it is lost or released. The process measures with its own monotonic clock, from before
 * each request, so that it stops before the table lets another owner begin, even when it cannot reach the table.
 *
 * If the process was too slow to renew in time, the lease is *in doubt*: not held, and not lost, until the table tells whose
 * it is. An epoch that is still in the table shows that nobody else had the lease meanwhile. Whatever the process writes
 * while in doubt is recognised by its epoch, or by the revision that it expects.
 */
export type Holding = {
  lease: Lease;
  /** The table renewed the lease, by a call that began at this time. */
  renewed(requestedAtMs: number): void;
  lose(reason: string): void;
  /** Ends the lease on purpose. */
  end(reason: string): void;
};

export type LeaseLoss = { lease: string; epoch: number; why: string };

export type HoldingOptions = LeaseEpoch & {
  table: LeaseTable;
  owner: string;
  ttlMs: number;
  /** Monotonic time just before the request to the table. */
  requestedAtMs: number;
  runtime: Runtime;
  clock: LeaseClock;
  log?: Log | undefined;
  onLost(loss: LeaseLoss): void;
};

export type LeaseClock = {
  /** A timer that notes when it fires late. */
  timer(ms: number, callback: () => void): () => void;
  /** Whether a timer of this process was late within the last TTL. */
  wasSlow(): boolean;
  /** Renews now, before it is time. */
  renewNow(): void;
};

export function hold(options: HoldingOptions): Holding {
  const { name, epoch, ttlMs, runtime, clock, onLost } = options;
  const lost = new AbortController();
  let heldUntilMs = options.requestedAtMs + ttlMs * GIVE_UP_AT;
  let cancelDeadline = () => {};
  let doubtSinceMs: number | null = null;

  const isHeld = () => !lost.signal.aborted && runtime.monotonicMs() < heldUntilMs;
  const end = (reason: string) => {
    cancelDeadline();
    lost.abort(new Error(`lease ${name}, epoch ${epoch}: ${reason}`));
  };
  const lose = (reason: string) => {
    if (lost.signal.aborted) return;
    onLost({ lease: name, epoch, why: reason });
    end(reason);
  };
  /** Waits for the end of the time for which the lease is held, or may be in doubt. */
  const watch = (untilMs: number) => {
    cancelDeadline();
    cancelDeadline = clock.timer(Math.max(0, untilMs - runtime.monotonicMs()), () => {
      if (isHeld()) watch(heldUntilMs);
      else if (clock.wasSlow()) doubt();
      else lose('it could not be renewed in time');
    });
  };
  const doubt = () => {
    const nowMs = runtime.monotonicMs();
    doubtSinceMs ??= nowMs;
    if (nowMs - doubtSinceMs > ttlMs * DOUBT_TTLS) return lose('it was in doubt for too long');
    clock.renewNow();
    watch(nowMs + ttlMs);
  };

  watch(heldUntilMs);
  return {
    lose,
    end,
    renewed(requestedAtMs) {
      if (lost.signal.aborted) return;
      heldUntilMs = Math.max(heldUntilMs, requestedAtMs + ttlMs * GIVE_UP_AT);
      // The table renewed it, but the reply was read too late to rely on.
      if (!isHeld()) return doubt();
      doubtSinceMs = null;
      watch(heldUntilMs);
    },
    lease: {
      name,
      epoch,
      lost: lost.signal,
      isHeld,
      async release() {
        end('released');
        await free(options);
      },
    },
  };
}

/** Frees a lease in the table. A lease that cannot be freed expires. */
async function free({ table, owner, name, epoch, log }: HoldingOptions): Promise<void> {
  await table.free(owner, [{ name, epoch }]).catch((error: unknown) => {
    log?.[unlessOutage(error, 'warn')]({ err: error, lease: name, epoch }, 'a lease could not be freed');
  });
}
