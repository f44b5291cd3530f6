import { expect, test } from 'vitest';
import { type Runtime, realRuntime } from '../runtime/runtime.ts';
import type { LeaseTable } from './holding.ts';
import { leaseContract } from './lease.contract.ts';
import { type MemoryLeases, memoryLeases } from './lease.memory.ts';
import { leasesOver } from './leasesOver.ts';

leaseContract('memory', async () => {
  const rows: MemoryLeases = new Map();
  return {
    join: async (owner, ttlMs) => memoryLeases({ rows, owner, runtime: realRuntime, ttlMs }),
    close: async () => {},
  };
});

test('an owner whose renewals get no answer stops before another one may begin', async () => {
  const clock = steppedClock();
  const leases = leasesOver({ ...takenOnce, renew: () => new Promise(() => {}) }, options(clock));
  const lease = await leases.tryAcquire('settler');
  for (let ms = 0; ms < 790; ms += 10) await clock.step(10);
  expect(lease?.lost.aborted).toBe(false);
  await clock.step(10);
  expect(lease?.lost.aborted).toBe(true);
});

test('failing renewals are repeated; one that succeeds is enough', async () => {
  const clock = steppedClock();
  let failures = 1;
  const renew: LeaseTable['renew'] = async (_, held) => {
    if (failures-- > 0) throw new Error('the database is away');
    return namesOf(held);
  };
  const leases = leasesOver({ ...takenOnce, renew }, options(clock));
  const lease = await leases.tryAcquire('settler');
  for (let ms = 0; ms < 3_000; ms += 10) await clock.step(10);
  expect(lease?.lost.aborted).toBe(false);
  failures = 100;
  for (let ms = 0; ms < 1_000; ms += 10) await clock.step(10);
  expect(lease?.lost.aborted).toBe(true);
});

test('a process that was too slow holds nothing until the table has said whose the leases are', async () => {
  const clock = steppedClock();
  const answers: ((names: ReadonlySet<string>) => void)[] = [];
  const renew: LeaseTable['renew'] = () => new Promise((resolve) => answers.push(resolve));
  const leases = leasesOver({ ...takenOnce, renew }, options(clock));
  const [kept, gone] = [await leases.tryAcquire('settler'), await leases.tryAcquire('timer')];
  clock.sleep(5_000);
  expect([kept?.isHeld(), gone?.isHeld()]).toEqual([false, false]);
  await clock.step(0);
  expect([kept?.isHeld(), kept?.lost.aborted, answers.length]).toEqual([false, false, 1]);
  answers[0]?.(new Set(['settler']));
  await clock.step(0);
  expect([kept?.isHeld(), kept?.lost.aborted]).toEqual([true, false]);
  expect([gone?.isHeld(), gone?.lost.aborted]).toEqual([false, true]);
});

test('a slow process asks until an answer is read in time, and its leases are not lost meanwhile', async () => {
  const clock = steppedClock();
  const answers: (() => void)[] = [];
  const renew: LeaseTable['renew'] = (_, held) =>
    new Promise((resolve) => answers.push(() => resolve(namesOf(held))));
  const leases = leasesOver({ ...takenOnce, renew }, options(clock));
  const lease = await leases.tryAcquire('settler');
  for (let round = 1; round <= 3; round++) {
    // Each answer lies there before the timers run, and is read behind them.
    clock.sleep(1_500);
    await clock.step(0);
    answers.shift()?.();
    await clock.step(0);
    expect(lease?.lost.aborted).toBe(false);
  }
  answers.shift()?.();
  await clock.step(0);
  expect([lease?.isHeld(), lease?.lost.aborted]).toEqual([true, false]);
});

test('a slow process that gets no answer once it is quick again loses what it had', async () => {
  const clock = steppedClock();
  const leases = leasesOver({ ...takenOnce, renew: () => new Promise(() => {}) }, options(clock));
  const lease = await leases.tryAcquire('settler');
  clock.sleep(5_000);
  for (let ms = 0; ms < 1_000; ms += 10) await clock.step(10);
  expect(lease?.lost.aborted).toBe(false);
  for (let ms = 0; ms <= 1_000; ms += 10) await clock.step(10);
  expect(lease?.lost.aborted).toBe(true);
});

test('however many leases a process holds, one call renews them all, and each is lost by itself', async () => {
  const clock = steppedClock();
  const calls: string[][] = [];
  const renew: LeaseTable['renew'] = async (_, held) => {
    calls.push(held.map(({ name }) => name));
    return namesOf(held.filter(({ name }) => name !== 'b'));
  };
  const leases = leasesOver({ ...takenOnce, renew }, options(clock));
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => leases.tryAcquire(name)));
  await clock.step(340);
  await clock.step(340);
  expect(calls).toEqual([
    ['a', 'b', 'c'],
    ['a', 'c'],
  ]);
  expect([a, b, c].map((lease) => lease?.isHeld())).toEqual([true, false, true]);
});

test('all that a process waits for is asked for together', async () => {
  const clock = steppedClock();
  let looks = 0;
  const others = [
    { name: 'a', owner: 'second' },
    { name: 'b', owner: 'second' },
  ];
  const running = async () => {
    looks += 1;
    return others;
  };
  const leases = leasesOver({ ...takenOnce, running }, options(clock));
  const signal = new AbortController().signal;
  const waiting = [leases.acquire('a', signal), leases.acquire('b', signal)];
  await clock.step(0);
  for (let ms = 0; ms < 1_000; ms += 10) await clock.step(10);
  expect(looks).toBe(3);
  others.length = 0;
  for (let ms = 0; ms < 500; ms += 10) await clock.step(10);
  expect((await Promise.all(waiting)).map((lease) => lease?.name)).toEqual(['a', 'b']);
});

test('the time that asking took counts as held', async () => {
  const clock = steppedClock();
  const asked = Promise.withResolvers<number>();
  const table = { ...takenOnce, take: () => asked.promise, renew: () => new Promise<never>(() => {}) };
  const leases = leasesOver(table, options(clock));
  const acquiring = leases.tryAcquire('settler');
  await clock.step(790);
  asked.resolve(1);
  const lease = await acquiring;
  expect(lease?.lost.aborted).toBe(false);
  await clock.step(10);
  expect(lease?.lost.aborted).toBe(true);
});

const options = (runtime: Runtime) => ({ owner: 'first', runtime, ttlMs: 1_000 });

const namesOf = (held: readonly { name: string }[]) => new Set(held.map(({ name }) => name));

const takenOnce: LeaseTable = {
  take: async () => 1,
  renew: async (_, held) => namesOf(held),
  free: async () => {},
  running: async () => [],
  close: async () => {},
};

/** A clock that moves only when told: all timers that have come due by then run, in order. */
function steppedClock(): Runtime & { step(ms: number): Promise<void>; sleep(ms: number): void } {
  let nowMs = 0;
  const timers = new Set<{ atMs: number; callback: () => void }>();
  return {
    ...realRuntime,
    monotonicMs: () => nowMs,
    setTimer(ms, callback) {
      const timer = { atMs: nowMs + ms, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    /** Time passes, and no timer runs. */
    sleep(ms) {
      nowMs += ms;
    },
    async step(ms) {
      nowMs += ms;
      const due = [...timers].filter(({ atMs }) => atMs <= nowMs).sort((a, b) => a.atMs - b.atMs);
      for (const timer of due) if (timers.delete(timer)) timer.callback();
      // Lets everything that waited for these timers run.
      await new Promise(setImmediate);
    },
  };
}
