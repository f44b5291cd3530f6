import { expect, test } from 'vitest';
import { realRuntime } from '../runtime/runtime.ts';
import { tallyContract } from './tally.contract.ts';
import { talliesWithFallback } from './tally.fallback.ts';
import { memoryTallies } from './tally.memory.ts';
import type { Tallies } from './tally.ts';

/** A clock that is set forward; what waits for a timer waits really. */
const clock = () => {
  let nowMs = 0;
  return {
    ...realRuntime,
    monotonicMs: () => nowMs,
    pass: async (ms: number) => {
      nowMs += ms;
    },
  };
};

tallyContract('memory', async () => {
  const runtime = clock();
  const tallies = memoryTallies(runtime);
  return { tallies, elsewhere: tallies, pass: runtime.pass, close: () => tallies.close() };
});

tallyContract('with fallback', async () => {
  const runtime = clock();
  const shared = memoryTallies(runtime);
  const open = () => talliesWithFallback({ shared, own: memoryTallies(runtime), runtime });
  return { tallies: open(), elsewhere: open(), pass: runtime.pass, close: () => shared.close() };
});

test('a process remembers so many keys and no more', async () => {
  const tally = memoryTallies(clock()).tally('a', { windowMs: 1_000, keysMax: 2 });
  for (const key of ['x', 'y', 'z']) await tally.count(key);
  expect([(await tally.read('x')).count, (await tally.read('z')).count]).toEqual([0, 1]);
});

/** Shared tallies that can be taken away. */
function breakable(given: Tallies) {
  let state: 'there' | 'away' | 'hanging' = 'there';
  let asked = 0;
  const through = <T>(call: () => Promise<T>): Promise<T> => {
    asked += 1;
    if (state === 'away') return Promise.reject(new Error('away'));
    return state === 'hanging' ? new Promise(() => undefined) : call();
  };
  const tallies: Tallies = {
    tally(name, options) {
      const tally = given.tally(name, options);
      return {
        count: (key) => through(() => tally.count(key)),
        read: (key) => through(() => tally.read(key)),
      };
    },
    close: () => given.close(),
  };
  return {
    tallies,
    asked: () => asked,
    become(next: typeof state) {
      state = next;
    },
  };
}
const WINDOW = { windowMs: 60_000, keysMax: 10 };

test.for(['away', 'hanging'] as const)(
  'while the shared counts are %s a process goes on from what it has seen, and shares again afterwards',
  async (trouble) => {
    const runtime = clock();
    const shared = memoryTallies(runtime);
    const way = breakable(shared);
    const one = talliesWithFallback({ shared: way.tallies, own: memoryTallies(runtime), runtime }).tally(
      'a',
      WINDOW,
    );
    const other = shared.tally('a', WINDOW);
    for (let i = 0; i < 3; i++) await one.count('x');
    for (let i = 0; i < 4; i++) await other.count('x');
    expect((await one.read('x')).count).toBe(7);

    way.become(trouble);
    expect((await one.count('x')).count).toBe(4);
    const asked = way.asked();
    for (let i = 0; i < 5; i++) await one.count('x');
    expect([way.asked(), (await one.read('x')).count]).toEqual([asked, 9]);

    way.become('there');
    await runtime.pass(1_001);
    // What it counted alone the others have not heard of; it counts here all the same.
    expect((await one.count('x')).count).toBe(10);
    expect((await other.read('x')).count).toBe(8);
  },
);

test('shared counts that were lost do not let anybody begin anew here', async () => {
  const runtime = clock();
  const own = memoryTallies(runtime);
  const tally = talliesWithFallback({ shared: memoryTallies(runtime), own, runtime }).tally('a', WINDOW);
  for (let i = 0; i < 3; i++) await tally.count('x');
  const afterFlush = talliesWithFallback({ shared: memoryTallies(runtime), own, runtime }).tally('a', WINDOW);
  expect((await afterFlush.count('x')).count).toBe(4);
});
