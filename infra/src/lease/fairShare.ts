import type { Log } from '../runtime/log.ts';
import { mayFail } from '../runtime/mayFail.ts';
import { unlessOutage } from '../runtime/outage.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import { LEASE_TTL_MS } from './holding.ts';
import { type Lease, type Leases, MEMBER_MARK, type RunningLease } from './lease.ts';

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

export function fairShare(options: FairShareOptions): FairShare {
  const { leases, runtime, log, role, units, takeUp } = options;
  const memberPrefix = role + MEMBER_MARK;
  const nameOf = (unit: string) => `${role}:${unit}`;
  const stopping = new AbortController();
  const held = new Map<string, Held>();
  const restUntilMs = new Map<string, number>();
  let member: Lease | null = null;
  let hadItsShare = false;
  let nap = new AbortController();
  let loggedUnits = '';

  /** Logs the share after it has changed. */
  const logShare = (members: number) => {
    const now = activeUnits().sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    if (now.join() === loggedUnits) return;
    loggedUnits = now.join();
    log.info({ role, units: now, members }, 'has its share');
  };
  const activeUnits = () => [...held].filter(([, { leaving }]) => !leaving).map(([unit]) => unit);

  const run = async () => {
    while (!stopping.signal.aborted) {
      nap = new AbortController();
      let short = true;
      try {
        short = await look();
      } catch (err) {
        log[unlessOutage(err, 'warn')]({ err, role }, 'a share could not be worked out; it is tried again');
      }
      await sleep(
        runtime,
        short ? LOOK_WHEN_SHORT_MS : LOOK_EVERY_MS,
        AbortSignal.any([nap.signal, stopping.signal]),
      );
    }
  };

  /** Gives back the units above the share and takes missing ones; true while units are still missing. */
  const look = async (): Promise<boolean> => {
    if (!member?.isHeld()) member = await leases.tryAcquire(memberPrefix + leases.owner);
    const running = await leases.running();
    if (!member?.isHeld() || stopping.signal.aborted) return true;
    const members = membersOf(running);
    const share = shareOf(leases.owner, members, units.length);
    for (const unit of activeUnits().slice(share)) void leave(unit, 'another member has joined');
    const before = activeUnits().length;
    const missing = share - before - (await take(running, share - before));
    if (missing <= 0) logShare(members.length);
    if (missing <= 0 && Array.from(held.values()).every(({ isRunning }) => isRunning)) hadItsShare = true;
    return missing > 0 || !hadItsShare;
  };

  const membersOf = (running: readonly RunningLease[]): string[] =>
    running.filter(({ name }) => name.startsWith(memberPrefix)).map(({ owner }) => owner);

  /** Acquires up to `count` free units; returns how many it got. */
  const take = async (running: readonly RunningLease[], count: number): Promise<number> => {
    const owners = new Map(running.map(({ name, owner }) => [name, owner]));
    const isFree = (unit: string) => {
      const owner = owners.get(nameOf(unit));
      return (
        !held.has(unit) &&
        (owner === undefined || owner === leases.owner) &&
        (restUntilMs.get(unit) ?? 0) <= runtime.monotonicMs()
      );
    };
    // First the units that a former process of this name has left; for the rest, members begin at different places.
    const rank = membersOf(running).sort().indexOf(leases.owner);
    const begin = Math.floor((units.length * Math.max(0, rank)) / Math.max(1, membersOf(running).length));
    const inOrder = [...units.slice(begin), ...units.slice(0, begin)].filter(isFree);
    const [own = [], free = []] = [true, false].map((isOwn) =>
      inOrder.filter((unit) => (owners.get(nameOf(unit)) === leases.owner) === isOwn),
    );
    const wanted = [...own, ...free].slice(0, Math.max(0, count));
    const attempts = await Promise.allSettled(
      wanted.map(async (unit) => ({ unit, lease: await leases.tryAcquire(nameOf(unit)) })),
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
      start(unit, lease);
      acquired += 1;
    }
    return acquired;
  };

  const start = (unit: string, lease: Lease) => {
    const up = takeUp(unit, lease);
    const holding: Held = { lease, up, isRunning: false, leaving: null };
    held.set(unit, holding);
    lease.lost.addEventListener('abort', () => void leave(unit, 'its lease was lost'), { once: true });
    up.then(
      () => {
        holding.isRunning = true;
        nap.abort();
      },
      (err: unknown) => {
        restUntilMs.set(unit, runtime.monotonicMs() + FAILED_UNIT_REST_MS);
        const isLost = lease.lost.aborted;
        log[isLost ? 'info' : unlessOutage(err, 'error')](
          { err, role, unit },
          'a unit could not be taken up; it is given back',
        );
        void leave(unit, 'it could not be taken up');
      },
    );
  };

  const leave = (unit: string, why: string): Promise<void> => {
    const holding = held.get(unit);
    if (!holding) return Promise.resolve();
    holding.leaving ??= putDown(unit, holding, why);
    return holding.leaving;
  };

  const putDown = async (unit: string, { lease, up }: Held, why: string): Promise<void> => {
    log.debug({ role, unit, epoch: lease.epoch, why }, 'a unit is put down');
    try {
      const down = await mayFail(up, '`start` has logged it');
      await down?.();
    } catch (err) {
      log[unlessOutage(err, 'error')]({ err, role, unit }, 'a unit could not be put down in good order');
    }
    await lease.release();
    held.delete(unit);
    nap.abort();
  };

  const looking = run();
  return {
    units: activeUnits,
    isReady: () => hadItsShare && (member?.isHeld() ?? false),
    async stop() {
      stopping.abort();
      await looking;
      // First the membership: the others' shares grow, so that they take each unit over as soon as it is finished.
      await member?.release();
      await Promise.all(Array.from(held.keys(), (unit) => leave(unit, 'this process stops')));
    },
  };
}

type Held = {
  lease: Lease;
  up: Promise<() => Promise<void>>;
  isRunning: boolean;
  leaving: Promise<void> | null;
};

/** How many units the owner may have. In the order of their names, the first members have one more if it is not even. */
export function shareOf(owner: string, members: readonly string[], units: number): number {
  const rank = members.toSorted().indexOf(owner);
  if (rank === -1) return 0;
  return Math.floor(units / members.length) + (rank < units % members.length ? 1 : 0);
}
