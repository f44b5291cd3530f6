import { assertParts, type Snapshot, type SnapshotKey, type Snapshots } from './snapshots.ts';

/** Snapshots in memory, for unit tests and simulation. */
export function memorySnapshots({ storeId }: { storeId: string }): Snapshots {
  const kinds = new Map<string, Map<string, Snapshot[]>>();
  const of = ({ kind, version }: Pick<SnapshotKey, 'kind' | 'version'>) => {
    const name = JSON.stringify([kind, version]);
    const keys = kinds.get(name) ?? new Map<string, Snapshot[]>();
    kinds.set(name, keys);
    return keys;
  };

  return {
    async load(key) {
      const newest = of(key).get(key.key)?.at(-1);
      return newest ? structuredClone(newest) : null;
    },
    async save(key, snapshot) {
      if (snapshot.cursor.storeId !== storeId) {
        throw new RangeError(`${key.kind} ${key.key}: a snapshot of store ${snapshot.cursor.storeId}`);
      }
      assertParts(`${key.kind} ${key.key}`, snapshot.parts ?? []);
      const generations = of(key).get(key.key) ?? [];
      const position = generations.at(-1)?.cursor.position ?? -1;
      if (snapshot.cursor.position < position) return;
      const before = generations.filter(({ cursor }) => cursor.position < snapshot.cursor.position).slice(-1);
      of(key).set(key.key, [...before, structuredClone(snapshot)]);
    },
    async keys(kind, version) {
      return [...of({ kind, version }).keys()].sort();
    },
    async close() {},
  };
}
