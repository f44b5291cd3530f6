import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Tallies } from './tally.ts';

/** What every adapter of tallies must do. `open` gives empty ones, the same as another process has them, and a way to wait. */
export function tallyContract(
  name: string,
  open: () => Promise<{
    tallies: Tallies;
    elsewhere: Tallies;
    pass(ms: number): Promise<void>;
    close(): Promise<void>;
  }>,
): void {
  describe(`${name}: tally`, () => {
    let tallies: Tallies;
    let elsewhere: Tallies;
    let pass: (ms: number) => Promise<void>;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ tallies, elsewhere, pass, close } = await open());
    });
    afterEach(() => close());
    const WINDOW = { windowMs: 60_000, keysMax: 1_000 };
    const counts = (standings: readonly { count: number }[]) => standings.map(({ count }) => count);

    test('what was never counted stands at nothing', async () => {
      expect(await tallies.tally('a', WINDOW).read('x')).toEqual({ count: 0, leftMs: 0 });
    });

    test('counts grow, the window goes on, and reading changes neither', async () => {
      const tally = tallies.tally('a', WINDOW);
      expect(await tally.count('x')).toEqual({ count: 1, leftMs: 60_000 });
      await pass(20);
      const second = await tally.count('x');
      expect(second.count).toBe(2);
      expect(second.leftMs).toBeGreaterThan(0);
      expect(second.leftMs).toBeLessThan(60_000);
      for (let i = 0; i < 3; i++) expect((await tally.read('x')).count).toBe(2);
      expect((await tally.read('x')).leftMs).toBeLessThanOrEqual(second.leftMs);
    });

    test('keys and tallies are apart, and any text is a key', async () => {
      const tally = tallies.tally('a', WINDOW);
      await tally.count('x');
      await tally.count('x y');
      await tally.count('');
      await tally.count('2001:db8::/64 ü\n{}');
      await tallies.tally('b', WINDOW).count('x');
      const read = ['x', 'x y', '', '2001:db8::/64 ü\n{}', 'y'].map((key) => tally.read(key));
      expect(counts(await Promise.all(read))).toEqual([1, 1, 1, 1, 0]);
    });

    test('everybody who counts at once, from wherever, is told another count', async () => {
      const [here, there] = [tallies.tally('a', WINDOW), elsewhere.tally('a', WINDOW)];
      const told = await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 ? here : there).count('x')));
      expect(counts(told).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
      expect((await here.read('x')).count).toBe(50);
    });

    test('when the window is over it is as if nothing had happened, and the next count begins another', async () => {
      const brief = { windowMs: 150, keysMax: 1_000 };
      const tally = tallies.tally('a', brief);
      await tally.count('x');
      await tally.count('x');
      await pass(200);
      expect(await tally.read('x')).toEqual({ count: 0, leftMs: 0 });
      expect(await tally.count('x')).toEqual({ count: 1, leftMs: 150 });
      await pass(200);
      expect(await tally.count('x')).toEqual({ count: 1, leftMs: 150 });
    });
  });
}
