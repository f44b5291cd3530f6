import type { Log } from '../runtime/log.ts';
import { mayFail } from '../runtime/mayFail.ts';
import { unlessOutage } from '../runtime/outage.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import { type Lease, type Leases, MEMBER_MARK, type RunningLease } from './lease.ts';
import { LEASE_TTL_MS } from './leasesOver.ts';

/**
 * Divides the units of a role (shards of symbols, projections) evenly among its members, the processes that work on it. Each
 * unit is a lease, and so is each membership. Every second a member reads the leases, takes free units up to its share, and
 * when another member has joined finishes and gives back the units above its share. Members never talk to each other: if two
 * of them count differently for a moment, they want the same unit at worst, and the lease decides.
 *
 * A unit is starting (the lease is held, the work is being taken up), then running, then leaving (finishing, or cleaning up
 * after a lost lease), then gone. Only then can it be taken again.
 */
export type FairShare = {
  /** This process's units, starting or running. */
  units(): string[];
  /** Whether this process is a member and has had its full share once; later its share also depends on the other members. */
  isReady(): boolean;
  /** Finishes and gives back all units. */
  stop(): Promise<void>;
};

export type FairShareOptions = {
  leases: Leases;
  runtime: Runtime;
  log: Log;
  /** The prefix of the leases' names: `<role>:<unit>` for a unit, `<role>#<owner>` for a member. */
  role: string;
  units: readonly string[];
  /**
   * Starts the work on a unit, and resolves with the function that ends it: in good order while the lease is held, else by
   * dropping it. The work must stop at once when `lease.lost` is aborted. A rejection gives the unit back for a while.
   * For units acquired together it is called without an await in between.
   */
  takeUp(unit: string, lease: Lease): Promise<() => Promise<void>>;
};

/** Milliseconds between two looks at the leases: a member notices within this time that another one came or went. */
export const LOOK_EVERY_MS = 1_000;
/** Milliseconds between two looks while a member has less than its share: others are about to give units back. */
const LOOK_WHEN_SHORT_MS = 200;
/** Milliseconds for which a member leaves a unit alone that it could not start: another member may succeed. */
const FAILED_UNIT_REST_MS = 5_000;
/**
 * Milliseconds after a dead or suspended member's last renewal within which others acquire its units: its leases expire, then
 * the others look. Starting the work comes on top.
 */
export const TAKEN_OVER_WITHIN_MS = LEASE_TTL_MS + LOOK_EVERY_MS;

type Share = FairShareOptions & {
  /** This process's units that are starting, running or leaving. */
  readonly heldUnits: Map<string, HeldUnit>;
  /** Until when a unit that could not be started is left alone, in monotonic time. */
  readonly restUntilMs: Map<string, number>;
  readonly stopping: AbortController;
  /** The lease that shows that this process is a member. */
  member: Lease | null;
  hasHadFullShare: boolean;
  /** Ends the present wait between two looks. */
  wait: AbortController;
  /** The units that were last logged. */
  loggedUnits: string;
};

type HeldUnit = {
  lease: Lease;
  /** Resolves with the function that ends the work. */
  started: Promise<() => Promise<void>>;
  isRunning: boolean;
  leaving: Promise<void> | null;
};

export function fairShare(options: FairShareOptions): FairShare {
  const share: Share = {
    ...options,
    heldUnits: new Map(),
    restUntilMs: new Map(),
    stopping: new AbortController(),
    member: null,
    hasHadFullShare: false,
    wait: new AbortController(),
    loggedUnits: '',
  };
  const looking = keepLooking(share);
  return {
    units: () => activeUnits(share),
    isReady: () => share.hasHadFullShare && (share.member?.isHeld() ?? false),
    async stop() {
      share.stopping.abort();
      await looking;
      // First the membership: the others' shares grow, so that they take each unit over as soon as it is finished.
      await share.member?.release();
      await Promise.all(
        Array.from(share.heldUnits.keys(), (unit) => leave(share, unit, 'this process stops')),
      );
    },
  };
}

const memberPrefix = ({ role }: FairShareOptions): string => role + MEMBER_MARK;
const leaseName = ({ role }: FairShareOptions, unit: string): string => `${role}:${unit}`;

const activeUnits = ({ heldUnits }: Share): string[] =>
  [...heldUnits].filter(([, { leaving }]) => !leaving).map(([unit]) => unit);

async function keepLooking(share: Share): Promise<void> {
  const { runtime, log, role, stopping } = share;
  while (!stopping.signal.aborted) {
    share.wait = new AbortController();
    let isShort = true;
    try {
      isShort = await look(share);
    } catch (err) {
      log[unlessOutage(err, 'warn')]({ err, role }, 'a share could not be worked out; it is tried again');
    }
    await sleep(
      runtime,
      isShort ? LOOK_WHEN_SHORT_MS : LOOK_EVERY_MS,
      AbortSignal.any([share.wait.signal, stopping.signal]),
    );
  }
}

/** Gives back the units above the share and acquires missing ones. Returns whether units are still missing. */
async function look(share: Share): Promise<boolean> {
  const { leases, units, heldUnits, stopping } = share;
  if (!share.member?.isHeld()) share.member = await leases.tryAcquire(memberPrefix(share) + leases.owner);
  const running = await leases.running();
  if (!share.member?.isHeld() || stopping.signal.aborted) return true;
  const members = membersOf(share, running);
  const count = shareOf(leases.owner, members, units.length);
  for (const unit of activeUnits(share).slice(count)) void leave(share, unit, 'another member has joined');
  const activeCount = activeUnits(share).length;
  const missing = count - activeCount - (await acquire(share, running, count - activeCount));
  if (missing <= 0) logShare(share, members.length);
  if (missing <= 0 && Array.from(heldUnits.values()).every(({ isRunning }) => isRunning))
    share.hasHadFullShare = true;
  return missing > 0 || !share.hasHadFullShare;
}

/** Logs the share after it has changed. */
function logShare(share: Share, members: number): void {
  const units = activeUnits(share).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  if (units.join() === share.loggedUnits) return;
  share.loggedUnits = units.join();
  share.log.info({ role: share.role, units, members }, 'has its share');
}

const membersOf = (share: Share, running: readonly RunningLease[]): string[] =>
  running.filter(({ name }) => name.startsWith(memberPrefix(share))).map(({ owner }) => owner);

/** Acquires up to `count` free units and starts their work. Returns how many it acquired. */
async function acquire(share: Share, running: readonly RunningLease[], count: number): Promise<number> {
  const { leases, stopping } = share;
  const attempts = await Promise.allSettled(
    freeUnits(share, running)
      .slice(0, Math.max(0, count))
      .map(async (unit) => ({ unit, lease: await leases.tryAcquire(leaseName(share, unit)) })),
  );
  let acquired = 0;
  for (const result of attempts) {
    if (result.status === 'rejected' || !result.value.lease) continue;
    const { unit, lease } = result.value;
    // A lease may have been lost while the others were acquired: it would never signal that again.
    if (stopping.signal.aborted || lease.lost.aborted) {
      await lease.release();
      continue;
    }
    start(share, unit, lease);
    acquired += 1;
  }
  return acquired;
}

/**
 * The units that may be acquired, in the order in which to try them: first those that a former process of this name has left,
 * then all others, where members begin at different places so that they rarely want the same unit.
 */
function freeUnits(share: Share, running: readonly RunningLease[]): string[] {
  const { leases, units, heldUnits, restUntilMs, runtime } = share;
  const owners = new Map(running.map(({ name, owner }) => [name, owner]));
  const ownerOf = (unit: string) => owners.get(leaseName(share, unit));
  const isFree = (unit: string) =>
    !heldUnits.has(unit) &&
    (ownerOf(unit) === undefined || ownerOf(unit) === leases.owner) &&
    (restUntilMs.get(unit) ?? 0) <= runtime.monotonicMs();
  const members = membersOf(share, running).sort();
  const rank = members.indexOf(leases.owner);
  const begin = Math.floor((units.length * Math.max(0, rank)) / Math.max(1, members.length));
  const free = [...units.slice(begin), ...units.slice(0, begin)].filter(isFree);
  const isLeftBehind = (unit: string) => ownerOf(unit) === leases.owner;
  return [...free.filter(isLeftBehind), ...free.filter((unit) => !isLeftBehind(unit))];
}

function start(share: Share, unit: string, lease: Lease): void {
  const { heldUnits, restUntilMs, runtime, log, role } = share;
  const started = share.takeUp(unit, lease);
  const heldUnit: HeldUnit = { lease, started, isRunning: false, leaving: null };
  heldUnits.set(unit, heldUnit);
  lease.lost.addEventListener('abort', () => void leave(share, unit, 'its lease was lost'), { once: true });
  started.then(
    () => {
      heldUnit.isRunning = true;
      share.wait.abort();
    },
    (err: unknown) => {
      restUntilMs.set(unit, runtime.monotonicMs() + FAILED_UNIT_REST_MS);
      const isLost = lease.lost.aborted;
      log[isLost ? 'info' : unlessOutage(err, 'error')](
        { err, role, unit },
        'a unit could not be taken up; it is given back',
      );
      void leave(share, unit, 'it could not be taken up');
    },
  );
}

function leave(share: Share, unit: string, reason: string): Promise<void> {
  const heldUnit = share.heldUnits.get(unit);
  if (!heldUnit) return Promise.resolve();
  heldUnit.leaving ??= putDown(share, unit, heldUnit, reason);
  return heldUnit.leaving;
}

/** Ends the work on a unit and gives its lease back. */
async function putDown(
  share: Share,
  unit: string,
  { lease, started }: HeldUnit,
  reason: string,
): Promise<void> {
  const { heldUnits, log, role } = share;
  log.debug({ role, unit, epoch: lease.epoch, why: reason }, 'a unit is put down');
  try {
    const end = await mayFail(started, '`start` has logged it');
    await end?.();
  } catch (err) {
    log[unlessOutage(err, 'error')]({ err, role, unit }, 'a unit could not be put down in good order');
  }
  await lease.release();
  heldUnits.delete(unit);
  share.wait.abort();
}

/** How many units the owner may have. In the order of their names, the first members have one more if it is not even. */
export function shareOf(owner: string, members: readonly string[], units: number): number {
  const rank = members.toSorted().indexOf(owner);
  if (rank === -1) return 0;
  return Math.floor(units / members.length) + (rank < units % members.length ? 1 : 0);
}
