import type { Log } from '../runtime/log.ts';
import { mayFail } from '../runtime/mayFail.ts';
import { unlessOutage } from '../runtime/outage.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import { LEASE_TTL_MS } from './holding.ts';
import { type Lease, type Leases, MEMBER_MARK, type RunningLease } from './lease.ts';

/**
 * Shares the units of a role (shards of symbols, projections) among the processes that have it, evenly: each unit is
 * a lease, and so is being a member. A member looks around now and then, takes units that are free up to its share,
 * and gives back what is above it, work on it finished, when a member has joined. Members never speak to each other:
 * two who count differently for a moment want the same unit at worst, and the lease decides.
 *
 * A unit is: starting (its lease is held, its work is being taken up) → running → leaving (finishing, or cleaning up
 * where the lease is lost) → gone. It is not taken again before it is gone.
 */
export type FairShare = {
  /** Units that this process has, taken up or about to be. */
  units(): string[];
  /** Whether it is a member, and had its share once: from then on it is the others' business, too, who has what. */
  isReady(): boolean;
  /** Finishes and gives back everything. */
  stop(): Promise<void>;
};

export type FairShareOptions = {
  leases: Leases;
  runtime: Runtime;
  log: Log;
  /** Begins the names of its leases: `<role>:<unit>`, and `<role>#<owner>` for a member. */
  role: string;
  units: readonly string[];
  /**
   * Takes a unit up; what it resolves with puts it down, in good order while the lease is held, else by forgetting
   * it. Whatever is done meanwhile must stop at once when `lease.lost` is aborted. A rejection gives the unit back
   * for a while. Those that are taken together are given in one go, before anything else happens.
   */
  takeUp(unit: string, lease: Lease): Promise<() => Promise<void>>;
};

/** A member looks around this often; so long, at most, it goes without noticing that another one came or went. */
export const LOOK_EVERY_MS = 1_000;
/** While it has less than its share: others are about to give back. */
const LOOK_WHEN_SHORT_MS = 200;
/** A unit that could not be taken up is left for so long: another member may be luckier. */
const FAILED_UNIT_REST_MS = 5_000;
/**
 * The units of a member that died or fell asleep are in other hands so long after its last renewal, at most: its
 * leases run out, and the others look. Then comes what taking them up takes.
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
  let told = '';

  /** Once for each change, when it is complete. */
  const tell = (members: number) => {
    const now = kept().sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    if (now.join() === told) return;
    told = now.join();
    log.info({ role, units: now, members }, 'has its share');
  };
  const kept = () => [...held].filter(([, { leaving }]) => !leaving).map(([unit]) => unit);

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

  /** Gives back what is too much, takes what is missing; true while something is missing still. */
  const look = async (): Promise<boolean> => {
    if (!member?.isHeld()) member = await leases.tryAcquire(memberPrefix + leases.owner);
    const running = await leases.running();
    if (!member?.isHeld() || stopping.signal.aborted) return true;
    const members = membersOf(running);
    const share = shareOf(leases.owner, members, units.length);
    for (const unit of kept().slice(share)) void leave(unit, 'another member has joined');
    const before = kept().length;
    const missing = share - before - (await take(running, share - before));
    if (missing <= 0) tell(members.length);
    if (missing <= 0 && Array.from(held.values()).every(({ isRunning }) => isRunning)) hadItsShare = true;
    return missing > 0 || !hadItsShare;
  };

  const membersOf = (running: readonly RunningLease[]): string[] =>
    running.filter(({ name }) => name.startsWith(memberPrefix)).map(({ owner }) => owner);

  /** Takes up to `count` free units; gives how many it got. */
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
    // First those that a former self of the same name has left; members begin at different ends of the others.
    const rank = membersOf(running).sort().indexOf(leases.owner);
    const begin = Math.floor((units.length * Math.max(0, rank)) / Math.max(1, membersOf(running).length));
    const inOrder = [...units.slice(begin), ...units.slice(0, begin)].filter(isFree);
    const [own = [], free = []] = [true, false].map((isOwn) =>
      inOrder.filter((unit) => (owners.get(nameOf(unit)) === leases.owner) === isOwn),
    );
    const wanted = [...own, ...free].slice(0, Math.max(0, count));
    const asked = await Promise.allSettled(
      wanted.map(async (unit) => ({ unit, lease: await leases.tryAcquire(nameOf(unit)) })),
    );
    let got = 0;
    for (const result of asked) {
      if (result.status === 'rejected' || !result.value.lease) continue;
      const { unit, lease } = result.value;
      // One may be lost while the others are asked for: nobody would be told of that any more.
      if (stopping.signal.aborted || lease.lost.aborted) {
        await lease.release();
        continue;
      }
      begun(unit, lease);
      got += 1;
    }
    return got;
  };

  const begun = (unit: string, lease: Lease) => {
    const up = takeUp(unit, lease);
    const its: Held = { lease, up, isRunning: false, leaving: null };
    held.set(unit, its);
    lease.lost.addEventListener('abort', () => void leave(unit, 'its lease was lost'), { once: true });
    up.then(
      () => {
        its.isRunning = true;
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
    const its = held.get(unit);
    if (!its) return Promise.resolve();
    its.leaving ??= putDown(unit, its, why);
    return its.leaving;
  };

  const putDown = async (unit: string, { lease, up }: Held, why: string): Promise<void> => {
    log.debug({ role, unit, epoch: lease.epoch, why }, 'a unit is put down');
    try {
      const down = await mayFail(up, 'whoever put it up has told the log');
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
    units: kept,
    isReady: () => hadItsShare && (member?.isHeld() ?? false),
    async stop() {
      stopping.abort();
      await looking;
      // The others' shares grow from now on, and each unit is taken over as soon as it is finished.
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

/** Members in the order of their names: the first ones have one more where it does not come out even. */
export function shareOf(owner: string, members: readonly string[], units: number): number {
  const rank = members.toSorted().indexOf(owner);
  if (rank === -1) return 0;
  return Math.floor(units / members.length) + (rank < units % members.length ? 1 : 0);
}
