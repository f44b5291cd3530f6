import type { Lease, Leases } from './lease.ts';
import type { Log } from './log.ts';
import { type Runtime, sleep } from './runtime.ts';

/** Where leases are written down; its own clock decides when one has expired. */
export type LeaseTable = {
  /** The new epoch, or null while another owner's lease runs. */
  take(name: string, owner: string, ttlMs: number): Promise<number | null>;
  /** False when it is not, or no longer, this owner's lease of this epoch. */
  renew(name: string, owner: string, epoch: number, ttlMs: number): Promise<boolean>;
  free(name: string, owner: string, epoch: number): Promise<void>;
  close(): Promise<void>;
};

/** A dead owner's role stands still for this long at most; three renewals may fail within it. */
export const LEASE_TTL_MS = 5_000;
/** Milliseconds between attempts of one who waits for a lease. */
const ACQUIRE_INTERVAL_MS = 250;
/** An owner gives up when this share of the TTL has passed since it last asked: before anybody else may begin. */
const GIVE_UP_AT = 0.8;

/**
 * Leases over a table. The owner trusts only its own monotonic clock, counted from before it asked: so it stops
 * earlier than the table lets another one begin, also when the table cannot be reached. What a process that was
 * suspended does before its timers run again is recognised by the epoch, or by the revision it expects.
 */
export function leasesOver(
  table: LeaseTable,
  options: { owner: string; runtime: Runtime; ttlMs?: number | undefined; log?: Log | undefined },
): Leases {
  const { owner, runtime, ttlMs = LEASE_TTL_MS, log } = options;
  const held = new Map<string, Holding>();
  const closing = new AbortController();

  const tryAcquire = async (name: string): Promise<Lease | null> => {
    const askedAtMs = runtime.monotonicMs();
    const epoch = await table.take(name, owner, ttlMs);
    if (epoch === null) return null;
    // An earlier lease of one's own has been overtaken.
    held.get(name)?.end();
    const holding = hold({ table, name, owner, epoch, ttlMs, askedAtMs, runtime, log });
    held.set(name, holding);
    holding.lease.lost.addEventListener(
      'abort',
      () => {
        if (held.get(name) === holding) held.delete(name);
      },
      { once: true },
    );
    return holding.lease;
  };

  return {
    tryAcquire,
    async acquire(name, signal) {
      const stop = AbortSignal.any([signal, closing.signal]);
      while (!stop.aborted) {
        const lease = await tryAcquire(name).catch((error: unknown) => {
          log?.warn({ err: error, lease: name }, 'a lease could not be asked for; it is asked for again');
          return null;
        });
        if (lease && stop.aborted) await lease.release();
        else if (lease) return lease;
        await sleep(runtime, ACQUIRE_INTERVAL_MS, stop);
      }
      return null;
    },
    async close() {
      if (closing.signal.aborted) return;
      closing.abort();
      await Promise.all([...held.values()].map(({ lease }) => lease.release()));
      await table.close();
    },
  };
}

type Holding = { lease: Lease; end: () => void };

function hold(options: {
  table: LeaseTable;
  name: string;
  owner: string;
  epoch: number;
  ttlMs: number;
  /** Monotonic time just before the table was asked. */
  askedAtMs: number;
  runtime: Runtime;
  log?: Log | undefined;
}): Holding {
  const { table, name, owner, epoch, ttlMs, runtime, log } = options;
  const lost = new AbortController();
  let heldUntilMs = options.askedAtMs + ttlMs * GIVE_UP_AT;
  let cancelDeadline = () => {};

  const lose = (why: string) => {
    if (lost.signal.aborted) return;
    log?.error({ lease: name, epoch, why }, 'a lease was lost');
    lost.abort(new Error(`lease ${name}, epoch ${epoch}: ${why}`));
  };
  const watchDeadline = () => {
    cancelDeadline();
    cancelDeadline = runtime.setTimer(Math.max(0, heldUntilMs - runtime.monotonicMs()), () => {
      lose('it could not be renewed in time');
    });
  };
  const renewing = async () => {
    while (!lost.signal.aborted) {
      await sleep(runtime, ttlMs / 3, lost.signal);
      // A process that slept finds both timers due: the one that has the say is the clock.
      if (runtime.monotonicMs() >= heldUntilMs) return lose('it could not be renewed in time');
      if (lost.signal.aborted) return;
      const askedAtMs = runtime.monotonicMs();
      try {
        const renewed = await table.renew(name, owner, epoch, ttlMs);
        if (!renewed) return lose('another owner has it');
        if (lost.signal.aborted || runtime.monotonicMs() >= heldUntilMs) continue;
        heldUntilMs = askedAtMs + ttlMs * GIVE_UP_AT;
        watchDeadline();
      } catch (error) {
        if (!lost.signal.aborted) log?.warn({ err: error, lease: name, epoch }, 'a lease was not renewed');
      }
    }
  };

  watchDeadline();
  const running = renewing();
  const end = () => {
    cancelDeadline();
    lost.abort(new Error(`lease ${name}, epoch ${epoch}: released`));
  };
  lost.signal.addEventListener('abort', () => cancelDeadline(), { once: true });

  return {
    end,
    lease: {
      name,
      epoch,
      lost: lost.signal,
      async release() {
        end();
        await running;
        // What cannot be freed expires.
        await table.free(name, owner, epoch).catch((error: unknown) => {
          log?.warn({ err: error, lease: name, epoch }, 'a lease could not be freed');
        });
      },
    },
  };
}
