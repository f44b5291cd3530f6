import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SNAPSHOT_PART_BYTES_MAX, type Snapshot, type Snapshots } from './snapshots.ts';

/** What every adapter of the snapshots must do. `open` gives access to one place for the store of that id. */
export function snapshotsContract(
  name: string,
  open: (storeId: string) => Promise<{ snapshots: Snapshots; close(): Promise<void> }>,
): void {
  describe(`${name}: snapshots`, () => {
    const storeId = randomUUID();
    let snapshots: Snapshots;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ snapshots, close } = await open(storeId));
    });
    afterEach(() => close());

    const key = { kind: 'account', key: 'account-1', version: 1 };
    const snapshot = (position: number, state: string): Snapshot => ({
      cursor: { storeId, position },
      revision: position - 1,
      state,
    });

    test('what was saved is loaded, for its own kind, key and version only', async () => {
      expect(await snapshots.load(key)).toBeNull();
      await snapshots.save(key, snapshot(7, '{"cash":"ü \\" 1"}'));
      expect(await snapshots.load(key)).toEqual(snapshot(7, '{"cash":"ü \\" 1"}'));
      expect(await snapshots.load({ ...key, version: 2 })).toBeNull();
      expect(await snapshots.load({ ...key, kind: 'book' })).toBeNull();
      expect(await snapshots.load({ ...key, key: 'account-2' })).toBeNull();
    });

    test('the newest counts, and an older one that comes late is dropped', async () => {
      for (const position of [3, 9, 5, 9]) await snapshots.save(key, snapshot(position, `at ${position}`));
      expect(await snapshots.load(key)).toEqual(snapshot(9, 'at 9'));
      await snapshots.save(key, { ...snapshot(9, 'at 9, again'), revision: -1 });
      expect(await snapshots.load(key)).toEqual({ ...snapshot(9, 'at 9, again'), revision: -1 });
    });

    test('keys are listed by kind and version, sorted', async () => {
      for (const name of ['b', 'a', 'B', 'a']) await snapshots.save({ ...key, key: name }, snapshot(1, name));
      await snapshots.save({ ...key, key: 'other', version: 2 }, snapshot(1, ''));
      expect(await snapshots.keys('account', 1)).toEqual(['B', 'a', 'b']);
      expect(await snapshots.keys('account', 3)).toEqual([]);
    });

    test('a snapshot of another store is refused', async () => {
      const foreign = { ...snapshot(1, ''), cursor: { storeId: randomUUID(), position: 1 } };
      await expect(snapshots.save(key, foreign)).rejects.toThrow(RangeError);
    });

    test('what is no text is kept in parts, and goes with its generation', async () => {
      const parts = [new Uint8Array([0, 1, 255]), new Uint8Array(300_000).fill(7), new Uint8Array(0)];
      const inParts = { ...snapshot(5, 'in parts'), parts };
      await snapshots.save(key, inParts);
      const loaded = await snapshots.load(key);
      expect({ ...loaded, parts: loaded?.parts?.map((part) => new Uint8Array(part)) }).toEqual(inParts);
      await snapshots.save(key, { ...inParts, parts: parts.slice(1, 2) });
      expect((await snapshots.load(key))?.parts?.map(({ byteLength }) => byteLength)).toEqual([300_000]);
      await snapshots.save(key, { ...snapshot(4, 'older'), parts });
      expect((await snapshots.load(key))?.parts?.length).toBe(1);
      await snapshots.save(key, snapshot(5, 'in no parts'));
      expect(await snapshots.load(key)).toEqual(snapshot(5, 'in no parts'));
      await expect(
        snapshots.save(key, { ...inParts, parts: [new Uint8Array(SNAPSHOT_PART_BYTES_MAX + 1)] }),
      ).rejects.toThrow(RangeError);
    });

    test('a large state is kept whole', async () => {
      const state = JSON.stringify(Array.from({ length: 100_000 }, (_, i) => i));
      await snapshots.save(key, snapshot(1, state));
      expect((await snapshots.load(key))?.state).toBe(state);
    });
  });
}
