import { expect, test } from 'vitest';
import { type SimulatedProcess, virtualTime } from '../../test/virtualTime.ts';
import { createLog } from '../runtime/log.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import { type FairShare, fairShare, shareOf, TAKEN_OVER_WITHIN_MS } from './fairShare.ts';
import type { LeaseTable } from './holding.ts';
import { type MemoryLeases, memoryLeaseTable } from './lease.memory.ts';
import type { Lease } from './lease.ts';
import { leasesOver } from './leasesOver.ts';

const log = createLog({ name: 'test', level: 'silent' });
const UNITS = Array.from({ length: 16 }, (_, unit) => String(unit));
/** Milliseconds that the network and the table take at most, there and back. */
const LATENCY_MS = 30;
/** Milliseconds that taking a unit up, or putting it down, takes at most. */
const WORK_MS = 60;
/** Beyond the promised bound: the steps of a hand-over, each with its latency. */
const SLACK_MS = 1_000;

test('shares differ by one at most, add up to all, and nobody else has one', () => {
  for (let count = 1; count <= 20; count++) {
    const members = Array.from({ length: count }, (_, index) => `engine-${index}`);
    const shares = members.map((member) => shareOf(member, members, UNITS.length));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(UNITS.length);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
  }
  expect(shareOf('stranger', ['engine-0'], 16)).toBe(0);
});

test.for(Array.from({ length: 16 }, (_, index) => index + 1))(
  'seed %i: members come, go, die and sleep; no unit has two owners, and none is without one for long',
  async (seed) => {
    const world = simulatedWorld(seed);
    const { below, time } = world;
    world.start();
    for (let step = 0; step < 40; step++) {
      world.disturb();
      await time.advance(below(3) === 0 ? TAKEN_OVER_WITHIN_MS + SLACK_MS : below(2_500), world.check);
    }
    world.calm();
    await time.advance(TAKEN_OVER_WITHIN_MS + SLACK_MS, world.check);
    expect(world.unowned(), `seed ${seed}`).toEqual([]);
    const counts = world.alive().map(({ share }) => share.units().length);
    expect(Math.max(...counts) - Math.min(...counts), `seed ${seed}: ${counts}`).toBeLessThanOrEqual(1);
    expect(world.alive().every(({ share }) => share.isReady())).toBe(true);
    expect(world.handOvers()).toBeGreaterThan(UNITS.length);
    await world.end();
  },
);

test('the units of one who died are in other hands within the promised time, those of one who leaves at once', async () => {
  const world = simulatedWorld(99);
  const [first, second] = [world.start(), world.start()];
  await world.time.advance(10_000, world.check);
  expect(first.share.units().length).toBe(8);
  second.process.kill();
  await world.time.advance(TAKEN_OVER_WITHIN_MS + LATENCY_MS * 3 + WORK_MS, world.check);
  expect(world.unowned()).toEqual([]);
  expect(first.share.units().length).toBe(16);

  const third = world.start();
  await world.time.advance(4_000, world.check);
  expect(third.share.units().length).toBe(8);
  void world.stop(third);
  await world.time.advance(2_000, world.check);
  expect(world.unowned()).toEqual([]);
  await world.end();
});

test('a member that is started again under its name has its units back at once', async () => {
  const world = simulatedWorld(7);
  world.start();
  const second = world.start();
  await world.time.advance(10_000, world.check);
  const before = second.share.units().sort();
  second.process.kill();
  const again = world.start(second.name);
  await world.time.advance(LATENCY_MS * 4 + WORK_MS, world.check);
  expect(again.share.units().sort()).toEqual(before);
  expect(world.unowned()).toEqual([]);
  await world.end();
});

test('a unit that cannot be taken up is given back, and tried again after a rest', async () => {
  const time = virtualTime();
  const process = time.process();
  let attempts = 0;
  const leases = leasesOver(memoryLeaseTable(new Map(), process.runtime), {
    owner: 'a',
    runtime: process.runtime,
  });
  const share = fairShare({
    leases,
    runtime: process.runtime,
    log,
    role: 'engine',
    units: ['0', '1'],
    async takeUp(unit) {
      if (unit === '0' && attempts++ < 2) throw new Error('its snapshot cannot be read now');
      return async () => {};
    },
  });
  await time.advance(4_000);
  expect([share.units(), share.isReady(), attempts]).toEqual([['1'], false, 1]);
  await time.advance(8_000);
  expect([share.units().sort(), share.isReady(), attempts]).toEqual([['0', '1'], true, 3]);
  void share.stop();
  await time.advance(1_000);
  expect(share.units()).toEqual([]);
});

test('a lease that was lost before its unit could be taken up is not kept: the unit is taken again', async () => {
  const time = virtualTime();
  const { runtime } = time.process();
  const rows: MemoryLeases = new Map();
  const table = memoryLeaseTable(rows, runtime);
  let isSlow = true;
  /** The answer for the one unit comes when the lease of the other has run out: nothing is renewed meanwhile. */
  const slow: LeaseTable = {
    ...table,
    async take(name, ...rest) {
      if (name !== 'engine:1' || !isSlow) return table.take(name, ...rest);
      await sleep(runtime, 12_000);
      isSlow = false;
      return null;
    },
    async renew(...given) {
      if (isSlow && rows.has('engine:0')) throw new Error('the database is away');
      return table.renew(...given);
    },
  };
  const taken: Lease[] = [];
  const share = fairShare({
    leases: leasesOver(slow, { owner: 'a', runtime, log }),
    runtime,
    log,
    role: 'engine',
    units: ['0', '1'],
    async takeUp(_, lease) {
      taken.push(lease);
      return async () => {};
    },
  });
  await time.advance(11_000);
  expect(taken).toEqual([]);
  await time.advance(10_000);
  expect(share.units().sort()).toEqual(['0', '1']);
  expect(taken.map((lease) => [lease.name, lease.isHeld()]).sort()).toEqual([
    ['engine:0', true],
    ['engine:1', true],
  ]);
  void share.stop();
  await time.advance(1_000);
});

type Member = {
  name: string;
  process: SimulatedProcess;
  share: FairShare;
  owns: Map<string, Lease>;
  stopping: boolean;
};

function simulatedWorld(seed: number) {
  const below = seeded(seed);
  const time = virtualTime();
  const server = time.process();
  const rows: MemoryLeases = new Map();
  const members = new Set<Member>();
  let names = 0;
  let handOvers = 0;
  let awayUntilMs = 0;
  /** Since when a unit is without an owner who may act. */
  const unownedSinceMs = new Map<string, number>();
  let disturbedAtMs = 0;

  /** The table, far away and sometimes not to be reached. A call may take effect although its reply is lost. */
  const distant = (runtime: Runtime): LeaseTable => {
    const table = memoryLeaseTable(rows, server.runtime);
    const call = async <T>(work: () => Promise<T>): Promise<T> => {
      // On its way it is nobody's: neither a suspended nor a dead caller takes it back.
      await sleep(server.runtime, below(LATENCY_MS / 2));
      const isLost = time.nowMs() < awayUntilMs;
      if (isLost && below(2) === 0) await sleep(runtime, 100);
      else {
        const result = await work();
        await sleep(runtime, below(LATENCY_MS / 2));
        if (!isLost) return result;
      }
      throw new Error('the database is away');
    };
    return {
      take: (...given) => call(() => table.take(...given)),
      renew: (...given) => call(() => table.renew(...given)),
      free: (...given) => call(() => table.free(...given)),
      running: () => call(() => table.running()),
      close: async () => {},
    };
  };

  const start = (name = `engine-${++names}`): Member => {
    const process = time.process();
    const { runtime } = process;
    const owns = new Map<string, Lease>();
    const share = fairShare({
      leases: leasesOver(distant(runtime), { owner: name, runtime }),
      runtime,
      log,
      role: 'engine',
      units: UNITS,
      async takeUp(unit, lease) {
        owns.set(unit, lease);
        handOvers += 1;
        await sleep(runtime, below(WORK_MS), lease.lost);
        if (lease.lost.aborted) {
          owns.delete(unit);
          throw new Error('lost on the way');
        }
        return async () => {
          await sleep(runtime, below(WORK_MS), lease.lost);
          owns.delete(unit);
        };
      },
    });
    const member = { name, process, share, owns, stopping: false };
    members.add(member);
    return member;
  };

  const alive = () => [...members].filter(({ process, stopping }) => !process.isDead() && !stopping);
  const mayAct = (unit: string) =>
    [...members].filter(
      ({ process, owns }) => !process.isDead() && !process.isSuspended() && owns.get(unit)?.isHeld(),
    );
  const stop = async (member: Member) => {
    member.stopping = true;
    await member.share.stop();
    member.process.kill();
  };

  return {
    below,
    time,
    start,
    stop,
    alive,
    handOvers: () => handOvers,
    unowned: () => UNITS.filter((unit) => mayAct(unit).length === 0),
    check() {
      const nowMs = time.nowMs();
      const isAnybodyThere = alive().some(({ process }) => !process.isSuspended());
      for (const unit of UNITS) {
        const owners = mayAct(unit);
        if (owners.length > 1) throw new Error(`seed ${seed}: ${unit} has ${owners.map(({ name }) => name)}`);
        const [owner] = owners;
        if (owner) {
          unownedSinceMs.delete(unit);
          const row = rows.get(`engine:${unit}`);
          const isWritten = row?.owner === owner.name && row.epoch === owner.owns.get(unit)?.epoch;
          if (!isWritten || row.expiresAtMs <= nowMs)
            throw new Error(`seed ${seed}: ${unit} has a wrong row`);
          continue;
        }
        // Whatever happened before: once nothing more happens, it is soon in somebody's hands.
        const sinceMs = unownedSinceMs.get(unit) ?? nowMs;
        unownedSinceMs.set(unit, sinceMs);
        const waitedMs = nowMs - Math.max(sinceMs, disturbedAtMs, awayUntilMs);
        if (isAnybodyThere && waitedMs > TAKEN_OVER_WITHIN_MS + SLACK_MS) {
          throw new Error(`seed ${seed}: ${unit} is without an owner for ${waitedMs} ms`);
        }
      }
    },
    disturb() {
      disturbedAtMs = time.nowMs();
      const others = alive();
      const one = others[below(others.length)];
      const dice = below(10);
      if (!one || (dice < 3 && others.length < 6)) start();
      else if (dice < 5 && one.process.isSuspended()) one.process.resume();
      else if (dice < 5) one.process.suspend();
      else if (dice === 5) one.process.kill();
      else if (dice === 6) {
        one.process.kill();
        start(one.name);
      } else if (dice === 7 && !one.process.isSuspended()) void stop(one);
      else if (dice === 8) awayUntilMs = time.nowMs() + below(8_000);
      else for (const { process } of others) process.resume();
    },
    /** Everybody is awake, and there is somebody. */
    calm() {
      disturbedAtMs = time.nowMs();
      awayUntilMs = 0;
      for (const { process } of members) process.resume();
      if (alive().length === 0) start();
    },
    async end() {
      for (const { process } of members) process.resume();
      const stopped = Promise.all(alive().map(stop));
      await time.advance(20_000);
      await stopped;
    },
  };
}

/** Mulberry32. */
function seeded(seed: number): (below: number) => number {
  let s = seed >>> 0;
  return (below) => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % Math.max(1, below);
  };
}
