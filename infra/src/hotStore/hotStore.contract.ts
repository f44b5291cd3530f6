import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HotStore, HotView } from './hotStore.ts';

/** What every adapter of the hot store must do. `open` gives an empty one, and the same as another process has it open. */
export function hotStoreContract(
  name: string,
  open: () => Promise<{ hotStore: HotStore; elsewhere: HotStore; close(): Promise<void> }>,
): void {
  describe(`${name}: hot store`, () => {
    let hotStore: HotStore;
    let elsewhere: HotStore;
    let close: () => Promise<void>;
    let depth: HotView;
    beforeEach(async () => {
      ({ hotStore, elsewhere, close } = await open());
      depth = hotStore.view('depth', 1);
    });
    afterEach(() => close());

    const storeId = randomUUID();
    const at = (position: number) => ({ storeId, position });
    const values = (entries: Record<string, string>) => new Map(Object.entries(entries));

    test('a new view is empty and has no cursor', async () => {
      expect(await depth.cursor()).toBeNull();
      expect(await depth.read(['ACME', 'NONE'])).toEqual({ values: [null, null], cursor: null });
      expect(await depth.read([])).toEqual({ values: [], cursor: null });
    });

    test('values and cursor move together', async () => {
      expect(await depth.write({ from: null, to: at(5), set: values({ A: '1', B: '"ü \\"' }) })).toBe('ok');
      expect(await depth.read(['B', 'A', 'C', 'A'])).toEqual({
        values: ['"ü \\"', '1', null, '1'],
        cursor: at(5),
      });
      const next = { from: at(5), to: at(9), set: values({ A: '2', C: '' }), remove: ['B', 'D'] };
      expect(await depth.write(next)).toBe('ok');
      expect(await depth.read(['A', 'B', 'C'])).toEqual({ values: ['2', null, ''], cursor: at(9) });
      expect(await depth.cursor()).toEqual(at(9));
    });

    test('a key that is removed and set in one write is set', async () => {
      await depth.write({ from: null, to: at(1), set: values({ A: '1' }), remove: ['A'] });
      expect((await depth.read(['A'])).values).toEqual(['1']);
    });

    test('the last event that a view rests on is kept with its position, and is part of where it stands', async () => {
      const landmark = (commitId: string) => ({ landmark: { position: 3, commitId } });
      const one = { ...at(5), ...landmark(randomUUID()) };
      const other = { ...at(5), ...landmark(randomUUID()) };
      await depth.write({ from: null, to: one, set: values({ A: '1' }) });
      expect(await depth.read(['A'])).toEqual({ values: ['1'], cursor: one });
      expect(await depth.write({ from: other, to: at(6), set: values({ A: '2' }) })).toBe('stale');
      expect(await depth.write({ from: at(5), to: at(6), set: values({ A: '2' }) })).toBe('stale');
      expect(await depth.write({ from: one, to: at(6), set: values({ A: '3' }) })).toBe('ok');
      expect(await depth.cursor()).toEqual(at(6));
    });

    test('nothing to set moves the cursor', async () => {
      await depth.write({ from: null, to: at(1), set: values({}) });
      expect(await depth.write({ from: at(1), to: at(2), set: values({}) })).toBe('ok');
      expect(await depth.cursor()).toEqual(at(2));
    });

    test.for([
      ['an empty view', null],
      ['another position', at(4)],
      ['another store', { storeId: randomUUID(), position: 5 }],
    ] as const)('a writer that expects %s is stale and changes nothing', async ([, from]) => {
      await depth.write({ from: null, to: at(5), set: values({ A: '1' }) });
      expect(await depth.write({ from, to: at(6), set: values({ A: '2' }), remove: ['A'] })).toBe('stale');
      expect(await depth.read(['A'])).toEqual({ values: ['1'], cursor: at(5) });
    });

    test('a writer who knows where the view stands may replace another store’s values', async () => {
      await depth.write({ from: null, to: at(5), set: values({ A: '1' }) });
      const to = { storeId: randomUUID(), position: 2 };
      expect(await depth.write({ from: at(5), to, set: values({}), remove: ['A'] })).toBe('ok');
      expect(await depth.read(['A'])).toEqual({ values: [null], cursor: to });
    });

    test.for([
      [
        'more than one screen holds',
        Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`K${i}`, `${i}`])),
      ],
      [
        'of any characters',
        { cursor: '1', 'v:A': '2', '{A}': '3', ' a b ': '4', 'ü\n"\\': '\t\u0001ß', '': '6' },
      ],
    ] as const)('keys and values %s are kept, and removed, as they are', async ([, given]) => {
      const keys = Object.keys(given);
      expect(await depth.write({ from: null, to: at(1), set: values(given) })).toBe('ok');
      expect(await depth.read(keys)).toEqual({ values: Object.values(given), cursor: at(1) });
      expect(await depth.write({ from: at(1), to: at(2), set: values({}), remove: keys })).toBe('ok');
      expect(await depth.read(keys)).toEqual({ values: keys.map(() => null), cursor: at(2) });
    });

    test('positions are exact to the largest one', async () => {
      const last = at(Number.MAX_SAFE_INTEGER);
      await depth.write({ from: null, to: at(Number.MAX_SAFE_INTEGER - 1), set: values({}) });
      expect(await depth.write({ from: at(Number.MAX_SAFE_INTEGER - 1), to: last, set: values({}) })).toBe(
        'ok',
      );
      expect(await depth.cursor()).toEqual(last);
    });

    test('a writer that expects a cursor in an empty view is stale', async () => {
      expect(await depth.write({ from: at(5), to: at(6), set: values({ A: '2' }) })).toBe('stale');
      expect(await depth.read(['A'])).toEqual({ values: [null], cursor: null });
    });

    test('of two writers at once one is stale', async () => {
      const write = (value: string) => depth.write({ from: null, to: at(1), set: values({ A: value }) });
      expect((await Promise.all([write('1'), write('2'), write('3')])).sort()).toEqual([
        'ok',
        'stale',
        'stale',
      ]);
    });

    test('what one process writes others read, and their next write goes on from there', async () => {
      const there = elsewhere.view('depth', 1);
      await depth.write({ from: null, to: at(1), set: values({ A: '1' }) });
      expect(await there.read(['A'])).toEqual({ values: ['1'], cursor: at(1) });
      expect(await there.write({ from: at(1), to: at(2), set: values({ A: '2' }) })).toBe('ok');
      expect(await depth.write({ from: at(1), to: at(2), set: values({ A: '3' }) })).toBe('stale');
      await depth.clear();
      expect(await there.read(['A'])).toEqual({ values: [null], cursor: null });
    });

    test('listeners hear what another process writes', async () => {
      const heard: number[] = [];
      elsewhere.view('depth', 1).onChange((position) => heard.push(position));
      // It may have to connect first: then it is told where the view stands.
      await depth.write({ from: null, to: at(1), set: values({}) });
      await expect.poll(() => heard.at(-1), { interval: 2 }).toBe(1);
      await depth.write({ from: at(1), to: at(2), set: values({}) });
      await expect.poll(() => heard.at(-1), { interval: 2 }).toBe(2);
    });

    test('views of other names and versions are others', async () => {
      await depth.write({ from: null, to: at(1), set: values({ A: '1' }) });
      await hotStore.view('depth', 2).write({ from: null, to: at(2), set: values({ A: '2' }) });
      await hotStore.view('ticker', 1).write({ from: null, to: at(3), set: values({ A: '3' }) });
      await hotStore.view('depth', 2).clear();
      expect(await depth.read(['A'])).toEqual({ values: ['1'], cursor: at(1) });
      expect(await hotStore.view('depth', 2).read(['A'])).toEqual({ values: [null], cursor: null });
      expect(await hotStore.view('ticker', 1).read(['A'])).toEqual({ values: ['3'], cursor: at(3) });
    });

    test('a view that was cleared is started anew', async () => {
      await depth.write({ from: null, to: at(1), set: values({ A: '1' }) });
      await depth.clear();
      expect(await depth.write({ from: at(1), to: at(2), set: values({ B: '2' }) })).toBe('stale');
      expect(await depth.write({ from: null, to: at(2), set: values({ B: '2' }) })).toBe('ok');
      expect(await depth.read(['A', 'B'])).toEqual({ values: [null, '2'], cursor: at(2) });
    });

    test('a reader never sees the values of one write beside the cursor of another', async () => {
      const writing = (async () => {
        await depth.write({ from: null, to: at(1), set: values({ A: '1', B: '1' }) });
        for (let n = 1; n < 60; n++) {
          const value = String(n + 1);
          expect(await depth.write({ from: at(n), to: at(n + 1), set: values({ A: value, B: value }) })).toBe(
            'ok',
          );
        }
      })();
      for (let position = 0; position < 60; ) {
        const { values: read, cursor } = await depth.read(['A', 'B']);
        position = cursor?.position ?? 0;
        expect(read).toEqual(position === 0 ? [null, null] : [String(position), String(position)]);
      }
      await writing;
    });

    test('listeners hear where a write of their view moved to, until they leave', async () => {
      const heard: number[] = [];
      const leave = depth.onChange((position) => heard.push(position));
      await depth.write({ from: null, to: at(1), set: values({}) });
      await expect.poll(() => heard.at(-1), { interval: 2 }).toBe(1);
      await hotStore.view('ticker', 1).write({ from: null, to: at(100), set: values({}) });
      await depth.write({ from: at(1), to: at(2), set: values({}) });
      await expect.poll(() => heard.at(-1), { interval: 2 }).toBe(2);
      leave();
      await depth.write({ from: at(2), to: at(3), set: values({}) });
      expect([...new Set(heard)]).toEqual([1, 2]);
    });
  });
}
