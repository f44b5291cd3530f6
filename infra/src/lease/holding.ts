import type { Log } from '../runtime/log.ts';
import { isServerAway, unlessOutage } from '../runtime/outage.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import type { Lease, Leases, RunningLease } from './lease.ts';

/** Where leases are written down; its own clock decides when one has expired. */
export type LeaseTable = {
  /** The new epoch, or null while another owner's lease runs. */
  take(name: string, owner: string, ttlMs: number): Promise<number | null>;
  /** Renews all of them in one step; gives the names of those that are still this owner's, of this epoch. */
  renew(owner: string, held: readonly Place[], ttlMs: number): Promise<ReadonlySet<string>>;
  /** Frees those that are still this owner's, of this epoch. */
  free(owner: string, held: readonly Place[]): Promise<void>;
  running(): Promise<RunningLease[]>;
  close(): Promise<void>;
};
export type Place = { name: string; epoch: number };

/** A dead owner's role stands still for this long at most; three renewals may fail within it. */
export const LEASE_TTL_MS = 5_000;
/** Milliseconds between looks of those who wait for leases; all that a process waits for is one look. */
const WAITING_LOOK_MS = 500;
/** Leases that are lost within so long are told in one line: what one is lost by, all are. */
const LOST_TOGETHER_MS = 50;
/** Milliseconds by which a timer is late where a process is slow: what is over then may be over by its own fault. */
const SLOW_MS = 250;
/** A lease stays in doubt for so many TTLs at most. */
const DOUBT_TTLS = 6;
/** An owner gives up when this share of the TTL has passed since it last asked: before anybody else may begin. */
const GIVE_UP_AT = 0.8;

/**
 * Leases over a table. The owner trusts only its own monotonic clock, counted from before it asked: so it stops
 * earlier than the table lets another one begin, also when the table cannot be reached.
 *
 * A process that was too slow to renew in time is another matter: nothing is known then. Its leases are in doubt, and held
 * no more, until the table has said whose they are: an epoch that stands there still was nobody else's meanwhile. What it
 * does before is recognised by the epoch, or by the revision it expects. However many leases a process holds, they are
 * renewed together.
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
  /** Why the last renewal failed; undefined where it did not. */
  let failure: unknown;
  /** When a timer was found late. */
  let slowAtMs = Number.NEGATIVE_INFINITY;
  let nap = new AbortController();
  let renewing: Promise<void> | null = null;
  let looking: Promise<void> | null = null;

  const onLost = (what: (typeof lost)[number]) => {
    lost.push(what);
    if (lost.length > 1) return;
    runtime.setTimer(LOST_TOGETHER_MS, () => {
      // In an outage nobody else has them either: it has told of itself.
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
    askNow: () => nap.abort(),
  };

  const tryAcquire = async (name: string): Promise<Lease | null> => {
    const askedAtMs = runtime.monotonicMs();
    const epoch = await table.take(name, owner, ttlMs);
    if (epoch === null) return null;
    // An earlier lease of one's own has been overtaken.
    held.get(name)?.end('overtaken');
    const holding = hold({ table, name, owner, epoch, ttlMs, askedAtMs, runtime, clock, log, onLost });
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
      // Whoever wants another look from here on gets one after this one.
      nap = new AbortController();
      const asked = [...held.values()];
      if (asked.length === 0 || closing.signal.aborted) break;
      const askedAtMs = runtime.monotonicMs();
      try {
        const renewed = await table.renew(
          owner,
          asked.map(({ lease: { name, epoch } }) => ({ name, epoch })),
          ttlMs,
        );
        failure = undefined;
        for (const holding of asked) {
          if (renewed.has(holding.lease.name)) holding.renewed(askedAtMs);
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

  /** Takes what others have let go, for all who wait. */
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
      // What cannot be freed expires.
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
  /** A timer that is heeded when it is late. */
  timer(ms: number, callback: () => void): () => void;
  /** Whether this process was lately late itself. */
  wasSlow(): boolean;
  /** Lets the table be asked before it would be time. */
  askNow(): void;
};

type Holding = {
  lease: Lease;
  /** It was renewed, by a call that began at this time. */
  renewed(askedAtMs: number): void;
  lose(why: string): void;
  /** Ends it, which is nobody's loss. */
  end(why: string): void;
};

function hold(options: {
  table: LeaseTable;
  name: string;
  owner: string;
  epoch: number;
  ttlMs: number;
  /** Monotonic time just before the table was asked. */
  askedAtMs: number;
  runtime: Runtime;
  clock: LeaseClock;
  log?: Log | undefined;
  onLost(what: { lease: string; epoch: number; why: string }): void;
}): Holding {
  const { table, name, owner, epoch, ttlMs, runtime, clock, log, onLost } = options;
  const lost = new AbortController();
  let heldUntilMs = options.askedAtMs + ttlMs * GIVE_UP_AT;
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
  /** Watches the time for which it is held, and then the time for which it may be in doubt. */
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
    clock.askNow();
    watch(nowMs + ttlMs);
  };

  watch(heldUntilMs);
  return {
    lose,
    end,
    renewed(askedAtMs) {
      if (lost.signal.aborted) return;
      heldUntilMs = Math.max(heldUntilMs, askedAtMs + ttlMs * GIVE_UP_AT);
      // It was its own when the table said so, and the answer may be read too late to rest on it.
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
        // What cannot be freed expires.
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
