import type { Log } from '../runtime/log.ts';
import { isServerAway, unlessOutage } from '../runtime/outage.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import type { Lease, Leases, RunningLease } from './lease.ts';

/** The table in which leases are stored. Its own clock decides when a lease has expired. */
export type LeaseTable = {
  /** Takes a lease: returns its new epoch, or null while another owner's lease runs. */
  take(name: string, owner: string, ttlMs: number): Promise<number | null>;
  /** Renews the leases in one step; returns the names of those that still have this owner and epoch. */
  renew(owner: string, held: readonly Place[], ttlMs: number): Promise<ReadonlySet<string>>;
  /** Frees the leases that still have this owner and epoch. */
  free(owner: string, held: readonly Place[]): Promise<void>;
  running(): Promise<RunningLease[]>;
  close(): Promise<void>;
};
export type Place = { name: string; epoch: number };

/** Milliseconds for which a dead owner's role stands still, at most; three renewals may fail within it. */
export const LEASE_TTL_MS = 5_000;
/** Milliseconds between two looks for awaited leases; one look serves all that a process waits for. */
const WAITING_LOOK_MS = 500;
/** Leases lost within these milliseconds are logged in one line: they have one cause. */
const LOST_TOGETHER_MS = 50;
/** A timer this many milliseconds late means that the process itself is slow: it may have missed its own deadlines. */
const SLOW_MS = 250;
/** How many TTLs a lease may stay in doubt. */
const DOUBT_TTLS = 6;
/** The share of the TTL, counted from the last request, after which an owner gives up: before another may begin. */
const GIVE_UP_AT = 0.8;

/**
 * Leases over a table, all of a process's leases renewed together. An owner measures with its own monotonic clock, from before
 * each request, so that it stops before the table lets another owner begin, even when it cannot reach the table.
 *
 * If a process was too slow to renew in time, its leases are *in doubt*: not held, and not lost, until the table tells whose
 * they are. An epoch that is still in the table shows that nobody else had the lease meanwhile. Whatever the process writes
 * while in doubt is recognised by its epoch, or by the revision that it expects.
 */
export function leasesOver(
  table: LeaseTable,
  options: { owner: string; runtime: Runtime; ttlMs?: number | undefined; log?: Log | undefined },
): Leases {
  const { owner, runtime, ttlMs = LEASE_TTL_MS, log } = options;
  const held = new Map<string, Holding>();
  const waiting = new Set<Waiting>();
  const closing = new AbortController();
  let lost: { lease: string; epoch: number; why: string }[] = [];
  /** The last renewal's error; undefined if it succeeded. */
  let failure: unknown;
  /** When a timer was last late. */
  let slowAtMs = Number.NEGATIVE_INFINITY;
  let nap = new AbortController();
  let renewing: Promise<void> | null = null;
  let looking: Promise<void> | null = null;

  const onLost = (loss: (typeof lost)[number]) => {
    lost.push(loss);
    if (lost.length > 1) return;
    runtime.setTimer(LOST_TOGETHER_MS, () => {
      // In an outage nobody else has the leases either, and the outage is logged already.
      log?.[isServerAway(failure) ? 'info' : 'error']({ leases: lost }, 'leases were lost');
      lost = [];
    });
  };

  const clock: LeaseClock = {
    timer(ms, callback) {
      const dueMs = runtime.monotonicMs() + ms;
      return runtime.setTimer(ms, () => {
        if (runtime.monotonicMs() - dueMs > SLOW_MS) slowAtMs = runtime.monotonicMs();
        callback();
      });
    },
    wasSlow: () => runtime.monotonicMs() - slowAtMs < ttlMs,
    renewNow: () => nap.abort(),
  };

  const tryAcquire = async (name: string): Promise<Lease | null> => {
    const requestedAtMs = runtime.monotonicMs();
    const epoch = await table.take(name, owner, ttlMs);
    if (epoch === null) return null;
    // The new epoch replaces an earlier lease of this process.
    held.get(name)?.end('overtaken');
    const holding = hold({ table, name, owner, epoch, ttlMs, requestedAtMs, runtime, clock, log, onLost });
    held.set(name, holding);
    holding.lease.lost.addEventListener(
      'abort',
      () => {
        if (held.get(name) === holding) held.delete(name);
      },
      { once: true },
    );
    renewing ??= renew();
    return holding.lease;
  };

  const renew = async () => {
    while (held.size > 0) {
      await sleep(
        { ...runtime, setTimer: clock.timer },
        ttlMs / 3,
        AbortSignal.any([closing.signal, nap.signal]),
      );
      // A renewal that is requested from here on comes after this one.
      nap = new AbortController();
      const holdings = [...held.values()];
      if (holdings.length === 0 || closing.signal.aborted) break;
      const requestedAtMs = runtime.monotonicMs();
      try {
        const renewed = await table.renew(
          owner,
          holdings.map(({ lease: { name, epoch } }) => ({ name, epoch })),
          ttlMs,
        );
        failure = undefined;
        for (const holding of holdings) {
          if (renewed.has(holding.lease.name)) holding.renewed(requestedAtMs);
          else holding.lose('another process has it, perhaps one of the same name');
        }
      } catch (err) {
        failure = err;
        const leases = [...held.keys()];
        if (leases.length > 0)
          log?.[unlessOutage(err, 'warn')]({ err, leases }, 'leases were not renewed; it is tried again');
      }
    }
    renewing = null;
  };

  /** Acquires for all waiters the leases that became free. */
  const look = async () => {
    while (waiting.size > 0) {
      try {
        const running = await table.running();
        const taken = new Set(running.filter((other) => other.owner !== owner).map(({ name }) => name));
        for (const waiter of waiting) {
          if (taken.has(waiter.name)) continue;
          const lease = await tryAcquire(waiter.name);
          if (lease) await waiter.give(lease);
        }
      } catch (err) {
        const leases = Array.from(waiting, ({ name }) => name);
        log?.[unlessOutage(err, 'warn')](
          { err, leases },
          'leases could not be asked for; they are asked for again',
        );
      }
      if (waiting.size > 0) await sleep(runtime, WAITING_LOOK_MS, closing.signal);
    }
    looking = null;
  };

  return {
    owner,
    tryAcquire,
    running: () => table.running(),
    acquire(name, signal) {
      const stop = AbortSignal.any([signal, closing.signal]);
      const { promise, resolve } = Promise.withResolvers<Lease | null>();
      const end = (lease: Lease | null) => {
        waiting.delete(waiter);
        stop.removeEventListener('abort', giveUp);
        resolve(lease);
      };
      const giveUp = () => end(null);
      const waiter: Waiting = {
        name,
        async give(lease) {
          if (stop.aborted) await lease.release();
          else end(lease);
        },
      };
      if (stop.aborted) return Promise.resolve(null);
      stop.addEventListener('abort', giveUp, { once: true });
      waiting.add(waiter);
      looking ??= look();
      return promise;
    },
    async close() {
      if (closing.signal.aborted) return;
      closing.abort();
      await looking;
      const released = [...held.values()];
      for (const holding of released) holding.end('released');
      await renewing;
      const places = released.map(({ lease: { name, epoch } }) => ({ name, epoch }));
      // A lease that cannot be freed expires.
      if (places.length > 0) {
        await table
          .free(owner, places)
          .catch((err: unknown) =>
            log?.[unlessOutage(err, 'warn')]({ err, leases: places }, 'leases could not be freed'),
          );
      }
      await table.close();
    },
  };
}

type Waiting = { name: string; give(lease: Lease): Promise<void> };

type LeaseClock = {
  /** A timer that notes when it fires late. */
  timer(ms: number, callback: () => void): () => void;
  /** Whether a timer of this process was late within the last TTL. */
  wasSlow(): boolean;
  /** Renews now, before it is time. */
  renewNow(): void;
};

type Holding = {
  lease: Lease;
  /** The table renewed the lease, by a call that began at this time. */
  renewed(requestedAtMs: number): void;
  lose(why: string): void;
  /** Ends the lease on purpose. */
  end(why: string): void;
};

function hold(options: {
  table: LeaseTable;
  name: string;
  owner: string;
  epoch: number;
  ttlMs: number;
  /** Monotonic time just before the request to the table. */
  requestedAtMs: number;
  runtime: Runtime;
  clock: LeaseClock;
  log?: Log | undefined;
  onLost(loss: { lease: string; epoch: number; why: string }): void;
}): Holding {
  const { table, name, owner, epoch, ttlMs, runtime, clock, log, onLost } = options;
  const lost = new AbortController();
  let heldUntilMs = options.requestedAtMs + ttlMs * GIVE_UP_AT;
  let cancelDeadline = () => {};
  let doubtSinceMs: number | null = null;

  const isHeld = () => !lost.signal.aborted && runtime.monotonicMs() < heldUntilMs;
  const end = (why: string) => {
    cancelDeadline();
    lost.abort(new Error(`lease ${name}, epoch ${epoch}: ${why}`));
  };
  const lose = (why: string) => {
    if (lost.signal.aborted) return;
    onLost({ lease: name, epoch, why });
    end(why);
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
        // A lease that cannot be freed expires.
        await table.free(owner, [{ name, epoch }]).catch((error: unknown) => {
          log?.[unlessOutage(error, 'warn')](
            { err: error, lease: name, epoch },
            'a lease could not be freed',
          );
        });
      },
    },
  };
}
