import { expect, test } from 'vitest';
import { leaseContract } from './lease.contract.ts';
import { type MemoryLeases, memoryLeases } from './lease.memory.ts';
import { type LeaseTable, leasesOver } from './leaseHolding.ts';
import { type Runtime, realRuntime } from './runtime.ts';

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
  await clock.step(799);
  expect(lease?.lost.aborted).toBe(false);
  await clock.step(1);
  expect(lease?.lost.aborted).toBe(true);
});

test('failing renewals are repeated; one that succeeds is enough', async () => {
  const clock = steppedClock();
  let failures = 1;
  const renew = async () => {
    if (failures-- > 0) throw new Error('the database is away');
    return true;
  };
  const leases = leasesOver({ ...takenOnce, renew }, options(clock));
  const lease = await leases.tryAcquire('settler');
  for (let ms = 0; ms < 3_000; ms += 10) await clock.step(10);
  expect(lease?.lost.aborted).toBe(false);
  failures = 100;
  for (let ms = 0; ms < 1_000; ms += 10) await clock.step(10);
  expect(lease?.lost.aborted).toBe(true);
});

test('a process that was suspended stops at its first breath, whatever the table would say', async () => {
  const clock = steppedClock();
  let renewals = 0;
  const renew = async () => {
    renewals += 1;
    return true;
  };
  const leases = leasesOver({ ...takenOnce, renew }, options(clock));
  const lease = await leases.tryAcquire('settler');
  await clock.step(5_000);
  expect(lease?.lost.aborted).toBe(true);
  expect(renewals).toBe(0);
});

test('the time that asking took counts as held', async () => {
  const clock = steppedClock();
  const asked = Promise.withResolvers<number>();
  const table = { ...takenOnce, take: () => asked.promise, renew: () => new Promise<boolean>(() => {}) };
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

const takenOnce: LeaseTable = {
  take: async () => 1,
  renew: async () => true,
  free: async () => {},
  close: async () => {},
};

/** A clock that moves only when told: all timers that have come due by then run, in order. */
function steppedClock(): Runtime & { step(ms: number): Promise<void> } {
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
    async step(ms) {
      nowMs += ms;
      const due = [...timers].filter(({ atMs }) => atMs <= nowMs).sort((a, b) => a.atMs - b.atMs);
      for (const timer of due) if (timers.delete(timer)) timer.callback();
      // Lets everything that waited for these timers run.
      await new Promise(setImmediate);
    },
  };
}
