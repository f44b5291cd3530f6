import type { Log } from '../runtime/log.ts';
import { isServerAway, unlessOutage } from '../runtime/outage.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import { type Holding, hold, type LeaseClock, type LeaseLoss, type LeaseTable } from './holding.ts';
import type { Lease, Leases } from './lease.ts';

/** Milliseconds for which a dead owner's role stands still, at most; three renewals may fail within it. */
export const LEASE_TTL_MS = 5_000;
/** Milliseconds between two looks for awaited leases; one look serves all that a process waits for. */
const WAITING_LOOK_MS = 500;
/** Leases lost within these milliseconds are logged in one line: they have one cause. */
const LOST_TOGETHER_MS = 50;
/** A timer this many milliseconds late means that the process itself is slow: it may have missed its own deadlines. */
const SLOW_MS = 250;

type Options = {
  owner: string;
  runtime: Runtime;
  ttlMs?: number | undefined;
  log?: Log | undefined;
};

/** The leases of one process. */
type LeaseHolder = Options & {
  ttlMs: number;
  table: LeaseTable;
  readonly clock: LeaseClock;
  readonly holdings: Map<string, Holding>;
  readonly waiters: Set<Waiter>;
  readonly closing: AbortController;
  /** Leases that were lost and are not logged yet. */
  losses: LeaseLoss[];
  /** The last renewal's error; undefined if it succeeded. */
  renewalError: unknown;
  /** Monotonic time at which a timer was last late. */
  slowAtMs: number;
  /** Ends the present wait for the next renewal. */
  wait: AbortController;
  renewing: Promise<void> | null;
  looking: Promise<void> | null;
};

/** One call of `acquire` that waits for its lease. */
type Waiter = { name: string; give(lease: Lease): Promise<void> };

/** Leases over a table: all leases of a process are renewed together, and awaited ones looked for together. */
export function leasesOver(table: LeaseTable, options: Options): Leases {
  const holder: LeaseHolder = {
    ...options,
    ttlMs: options.ttlMs ?? LEASE_TTL_MS,
    table,
    clock: {
      timer: (ms, callback) => timer(holder, ms, callback),
      wasSlow: () => holder.runtime.monotonicMs() - holder.slowAtMs < holder.ttlMs,
      renewNow: () => holder.wait.abort(),
    },
    holdings: new Map(),
    waiters: new Set(),
    closing: new AbortController(),
    losses: [],
    renewalError: undefined,
    slowAtMs: Number.NEGATIVE_INFINITY,
    wait: new AbortController(),
    renewing: null,
    looking: null,
  };
  return {
    owner: options.owner,
    tryAcquire: (name) => tryAcquire(holder, name),
    running: () => table.running(),
    acquire: (name, signal) => acquire(holder, name, signal),
    close: () => close(holder),
  };
}

function timer(holder: LeaseHolder, ms: number, callback: () => void): () => void {
  const { runtime } = holder;
  const dueMs = runtime.monotonicMs() + ms;
  return runtime.setTimer(ms, () => {
    if (runtime.monotonicMs() - dueMs > SLOW_MS) holder.slowAtMs = runtime.monotonicMs();
    callback();
  });
}

async function tryAcquire(holder: LeaseHolder, name: string): Promise<Lease | null> {
  const { table, runtime, holdings, ttlMs, clock, log } = holder;
  const requestedAtMs = runtime.monotonicMs();
  const epoch = await table.take(name, holder.owner, ttlMs);
  if (epoch === null) return null;
  // The new epoch replaces an earlier lease of this process.
  holdings.get(name)?.end('overtaken');
  const onLost = (loss: LeaseLoss) => noteLoss(holder, loss);
  const holding = hold({
    table,
    name,
    owner: holder.owner,
    epoch,
    ttlMs,
    requestedAtMs,
    runtime,
    clock,
    log,
    onLost,
  });
  holdings.set(name, holding);
  holding.lease.lost.addEventListener(
    'abort',
    () => {
      if (holdings.get(name) === holding) holdings.delete(name);
    },
    { once: true },
  );
  holder.renewing ??= keepRenewing(holder);
  return holding.lease;
}

function noteLoss(holder: LeaseHolder, loss: LeaseLoss): void {
  holder.losses.push(loss);
  if (holder.losses.length > 1) return;
  holder.runtime.setTimer(LOST_TOGETHER_MS, () => {
    // In an outage nobody else has the leases either, and the outage is logged already.
    const level = isServerAway(holder.renewalError) ? 'info' : 'error';
    holder.log?.[level]({ leases: holder.losses }, 'leases were lost');
    holder.losses = [];
  });
}

/** Renews the leases three times within each TTL, as long as there are any. */
async function keepRenewing(holder: LeaseHolder): Promise<void> {
  const { holdings, closing, runtime, clock, ttlMs } = holder;
  while (holdings.size > 0) {
    await sleep(
      { ...runtime, setTimer: clock.timer },
      ttlMs / 3,
      AbortSignal.any([closing.signal, holder.wait.signal]),
    );
    // A renewal that is requested from here on comes after this one.
    holder.wait = new AbortController();
    const current = [...holdings.values()];
    if (current.length === 0 || closing.signal.aborted) break;
    await renew(holder, current);
  }
  holder.renewing = null;
}

async function renew(holder: LeaseHolder, current: readonly Holding[]): Promise<void> {
  const { table, runtime, holdings, ttlMs, log } = holder;
  const requestedAtMs = runtime.monotonicMs();
  try {
    const renewed = await table.renew(holder.owner, epochsOf(current), ttlMs);
    holder.renewalError = undefined;
    for (const holding of current) {
      if (renewed.has(holding.lease.name)) holding.renewed(requestedAtMs);
      else holding.lose('another process has it, perhaps one of the same name');
    }
  } catch (err) {
    holder.renewalError = err;
    const leases = [...holdings.keys()];
    if (leases.length > 0)
      log?.[unlessOutage(err, 'warn')]({ err, leases }, 'leases were not renewed; it is tried again');
  }
}

const epochsOf = (holdings: readonly Holding[]) =>
  holdings.map(({ lease: { name, epoch } }) => ({ name, epoch }));

function acquire(holder: LeaseHolder, name: string, signal: AbortSignal): Promise<Lease | null> {
  const { waiters, closing } = holder;
  const stop = AbortSignal.any([signal, closing.signal]);
  const { promise, resolve } = Promise.withResolvers<Lease | null>();
  const end = (lease: Lease | null) => {
    waiters.delete(waiter);
    stop.removeEventListener('abort', giveUp);
    resolve(lease);
  };
  const giveUp = () => end(null);
  const waiter: Waiter = {
    name,
    async give(lease) {
      if (stop.aborted) await lease.release();
      else end(lease);
    },
  };
  if (stop.aborted) return Promise.resolve(null);
  stop.addEventListener('abort', giveUp, { once: true });
  waiters.add(waiter);
  holder.looking ??= keepLooking(holder);
  return promise;
}

/** Acquires awaited leases that became free, as long as somebody waits. */
async function keepLooking(holder: LeaseHolder): Promise<void> {
  const { table, runtime, waiters, closing, log } = holder;
  while (waiters.size > 0) {
    try {
      const running = await table.running();
      const taken = new Set(running.filter((lease) => lease.owner !== holder.owner).map(({ name }) => name));
      for (const waiter of waiters) {
        if (taken.has(waiter.name)) continue;
        const lease = await tryAcquire(holder, waiter.name);
        if (lease) await waiter.give(lease);
      }
    } catch (err) {
      const leases = Array.from(waiters, ({ name }) => name);
      log?.[unlessOutage(err, 'warn')](
        { err, leases },
        'leases could not be asked for; they are asked for again',
      );
    }
    if (waiters.size > 0) await sleep(runtime, WAITING_LOOK_MS, closing.signal);
  }
  holder.looking = null;
}

async function close(holder: LeaseHolder): Promise<void> {
  const { table, holdings, closing, log } = holder;
  if (closing.signal.aborted) return;
  closing.abort();
  await holder.looking;
  const current = [...holdings.values()];
  for (const holding of current) holding.end('released');
  await holder.renewing;
  const leases = epochsOf(current);
  // A lease that cannot be freed expires.
  if (leases.length > 0) {
    await table
      .free(holder.owner, leases)
      .catch((err: unknown) =>
        log?.[unlessOutage(err, 'warn')]({ err, leases }, 'leases could not be freed'),
      );
  }
  await table.close();
}
