import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Noted, putBack, storeOf } from '../../test/noted.ts';
import type { EventStore } from '../eventStore/eventStore.ts';
import type { PastOf } from '../eventStore/past.ts';
import type { Log } from '../runtime/log.ts';
import { SNAPSHOT_PART_BYTES_MAX, type Snapshot, type SnapshotKey, type Snapshots } from './snapshots.ts';

/** Positions that the store of these tests has. */
const EVENTS = 20;

/** What may happen to what is kept, by the hand of a disk, of an administrator, or of an older version. */
const DAMAGES = [
  'the state is cut in half',
  'the state is another',
  'the state is empty',
  'the position is another',
  'the position is beyond all numbers',
  'the revision is another',
  'a part is another',
  'a part is missing',
  'a part is one too many',
  'it is that of another key',
  'the state is cut in half, and there is no checksum',
] as const;
export type Damage = (typeof DAMAGES)[number] | 'it does not say what it rests on';

/**
 * What every adapter of the snapshots must do. `open` gives access to one place for this store; `damage` does
 * that to the newest snapshot of a key, which has the position 9 and two parts, the second of them `[3, 4]`.
 */
export function snapshotsContract(
  name: string,
  open: (
    store: PastOf,
    log: Pick<Log, 'warn'>,
  ) => Promise<{
    snapshots: Snapshots;
    damage(how: Damage, key: SnapshotKey): Promise<void>;
    /** The same place, for a process on this store. */
    again(store: PastOf): Promise<Snapshots>;
    close(): Promise<void>;
  }>,
): void {
  describe(`${name}: snapshots`, () => {
    let store: EventStore<Noted>;
    let storeId: string;
    let snapshots: Snapshots;
    let damage: (how: Damage, key: SnapshotKey) => Promise<void>;
    let again: (store: PastOf) => Promise<Snapshots>;
    let close: () => Promise<void>;
    let warned: Record<string, unknown>[];
    beforeEach(async () => {
      warned = [];
      store = await storeOf(EVENTS);
      storeId = store.id;
      const warn = (about: unknown) => void warned.push(about as Record<string, unknown>);
      ({ snapshots, damage, again, close } = await open(store, { warn }));
    });
    afterEach(() => close());

    const key = { kind: 'account', key: 'account-1', version: 1 };
    const load = async (key: SnapshotKey): Promise<Snapshot | null> =>
      (await snapshots.load(key, asSaved))?.state ?? null;
    /** Without what was added of the store's past. */
    const asSaved = ({ cursor: { storeId, position }, ...rest }: Snapshot): Snapshot => ({
      cursor: { storeId, position },
      ...rest,
    });
    const snapshot = (position: number, state: string): Snapshot => ({
      cursor: { storeId, position },
      revision: position - 1,
      state,
    });

    test('what was saved is loaded, for its own kind, key and version only', async () => {
      expect(await load(key)).toBeNull();
      await snapshots.save(key, snapshot(7, '{"cash":"ü \\" 1"}'));
      expect(await load(key)).toEqual(snapshot(7, '{"cash":"ü \\" 1"}'));
      expect(await load({ ...key, version: 2 })).toBeNull();
      expect(await load({ ...key, kind: 'book' })).toBeNull();
      expect(await load({ ...key, key: 'account-2' })).toBeNull();
    });

    test('the newest counts, and an older one that comes late is dropped', async () => {
      for (const position of [3, 9, 5, 9]) await snapshots.save(key, snapshot(position, `at ${position}`));
      expect(await load(key)).toEqual(snapshot(9, 'at 9'));
      await snapshots.save(key, { ...snapshot(9, 'at 9, again'), revision: -1 });
      expect(await load(key)).toEqual({ ...snapshot(9, 'at 9, again'), revision: -1 });
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
      const loaded = await load(key);
      expect({ ...loaded, parts: loaded?.parts?.map((part) => new Uint8Array(part)) }).toEqual(inParts);
      await snapshots.save(key, { ...inParts, parts: parts.slice(1, 2) });
      expect((await load(key))?.parts?.map(({ byteLength }) => byteLength)).toEqual([300_000]);
      await snapshots.save(key, { ...snapshot(4, 'older'), parts });
      expect((await load(key))?.parts?.length).toBe(1);
      await snapshots.save(key, snapshot(5, 'in no parts'));
      expect(await load(key)).toEqual(snapshot(5, 'in no parts'));
      await expect(
        snapshots.save(key, { ...inParts, parts: [new Uint8Array(SNAPSHOT_PART_BYTES_MAX + 1)] }),
      ).rejects.toThrow(RangeError);
    });

    test.for(DAMAGES)('%s: that is a warning, and the one before it counts', async (how) => {
      const parts = [new Uint8Array([1, 2]), new Uint8Array([3, 4])];
      const read = ({ state, parts: bytes }: Snapshot) => [JSON.parse(state), bytes?.length];
      await snapshots.save(key, { ...snapshot(5, '{"orders":5}'), parts });
      await snapshots.save(key, { ...snapshot(9, '{"orders":9}'), parts });
      await snapshots.save({ ...key, key: 'account-2' }, { ...snapshot(9, '{"orders":2}'), parts });
      await damage(how, key);
      expect(await snapshots.load(key, read)).toEqual({
        cursor: { storeId, position: 5, landmark: await store.landmark(5) },
        revision: 4,
        state: [{ orders: 5 }, 2],
        isNewest: false,
      });
      expect(warned).toEqual([expect.objectContaining({ snapshot: 'account account-1', version: 1 })]);
      // Newer ones are kept again, whatever it said of its place.
      await snapshots.save(key, snapshot(11, '{"orders":11}'));
      expect(await snapshots.load(key, read)).toMatchObject({
        state: [{ orders: 11 }, undefined],
        isNewest: true,
      });
    });

    test('where no generation can be read there is none, and each is a warning', async () => {
      await snapshots.save(key, snapshot(1, 'no JSON'));
      await snapshots.save(key, snapshot(2, '{"cut'));
      expect(await snapshots.load(key, ({ state }) => JSON.parse(state))).toBeNull();
      expect(warned.map(({ position }) => position)).toEqual(['2', '1']);
      expect(await load(key)).toEqual(snapshot(2, '{"cut'));
    });

    test.for<[restored: string, to: number, then: number, found: number | null]>([
      ['the store as it was, gone on', EVENTS, 5, 9],
      ['a store put back to before the newest', 8, 0, 5],
      ['and gone on beyond it', 8, 10, 5],
      ['put back to before all', 3, 0, null],
      ['and gone on beyond all', 3, 20, null],
      ['an empty one', 0, 0, null],
    ])('%s: only what stands in its past is there', async ([, to, then, found]) => {
      for (const position of [5, 9]) await snapshots.save(key, snapshot(position, `at ${position}`));
      const restored = await putBack(store, to, then);
      const process = await again(restored);
      const loaded = await process.load(key, ({ state }) => state);
      expect(loaded?.cursor.position ?? null).toBe(found);
      expect(warned).toHaveLength(found === 9 ? 0 : 1);
      // What was of another past does not keep newer ones out, though they are of lower positions.
      const position = Math.max(1, Math.min(8, await restored.head()));
      if (position > (found ?? 0) && position <= (await restored.head())) {
        await process.save(key, snapshot(position, 'anew'));
        expect(await process.load(key, ({ state }) => state)).toMatchObject({ state: 'anew' });
      }
      await process.close();
    });

    test('what does not say which commit it rests on is not believed', async () => {
      await snapshots.save(key, snapshot(9, 'at 9'));
      await damage('it does not say what it rests on', key);
      expect(await load(key)).toBeNull();
    });

    test('a large state is kept whole', async () => {
      const state = JSON.stringify(Array.from({ length: 100_000 }, (_, i) => i));
      await snapshots.save(key, snapshot(1, state));
      expect((await load(key))?.state).toBe(state);
    });
  });
}
