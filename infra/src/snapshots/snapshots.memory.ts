import { partChecksum, stateChecksum } from './checksum.ts';
import {
  assertParts,
  firstReadable,
  type Kept,
  type Snapshot,
  type SnapshotKey,
  type SnapshotOptions,
  type Snapshots,
  snapshotPast,
} from './snapshots.ts';

/** What is kept, by kind and version, then by key: the older generation before the newer. */
export type KeptInMemory = Map<string, Map<string, GenerationInMemory[]>>;
export type GenerationInMemory = {
  snapshot: Snapshot;
  /** null: of an older version. */
  checksum: number | null;
  partChecksums: number[];
};

/** Snapshots in memory, for unit tests and simulation. `kinds` is where they lie, for who damages them. */
export function memorySnapshots(options: SnapshotOptions & { kinds?: KeptInMemory }): Snapshots {
  const { store, log, kinds = new Map<string, Map<string, GenerationInMemory[]>>() } = options;
  const past = snapshotPast(store);
  const of = ({ kind, version }: Pick<SnapshotKey, 'kind' | 'version'>) => {
    const name = JSON.stringify([kind, version]);
    const keys = kinds.get(name) ?? new Map<string, GenerationInMemory[]>();
    kinds.set(name, keys);
    return keys;
  };

  return {
    async load(key, read) {
      const generations = of(key).get(key.key) ?? [];
      const kept = generations.toReversed().map((generation): Kept => {
        const position = String(generation.snapshot.cursor.position);
        if (!isWhole(key, generation)) return { position, damage: 'it is not what was saved' };
        return { position, snapshot: structuredClone(generation.snapshot) };
      });
      const remove = async ({ position }: Kept) => {
        const whole = (of(key).get(key.key) ?? []).filter(
          ({ snapshot }) => String(snapshot.cursor.position) !== position,
        );
        of(key).set(key.key, whole);
      };
      return firstReadable(key, kept, read, { past, log, remove });
    },
    async save(key, snapshot) {
      if (snapshot.cursor.storeId !== store.id) {
        throw new RangeError(`${key.kind} ${key.key}: a snapshot of store ${snapshot.cursor.storeId}`);
      }
      const cursor = await past.cursor(snapshot.cursor.position);
      assertParts(`${key.kind} ${key.key}`, snapshot.parts ?? []);
      const generations = of(key).get(key.key) ?? [];
      const position = generations.at(-1)?.snapshot.cursor.position ?? -1;
      if (snapshot.cursor.position < position) return;
      const before = generations.filter((one) => one.snapshot.cursor.position < snapshot.cursor.position);
      of(key).set(key.key, [...before.slice(-1), kept(key, { ...snapshot, cursor })]);
    },
    async keys(kind, version) {
      return [...of({ kind, version }).keys()].sort();
    },
    async close() {},
  };
}

const kept = (key: SnapshotKey, snapshot: Snapshot): GenerationInMemory => ({
  snapshot: structuredClone(snapshot),
  checksum: stateChecksum(key, snapshot),
  partChecksums: (snapshot.parts ?? []).map((bytes, part) => partChecksum(key, snapshot, part, bytes)),
});
const isWhole = (key: SnapshotKey, { snapshot, checksum, partChecksums }: GenerationInMemory): boolean =>
  (checksum === null || checksum === stateChecksum(key, snapshot)) &&
  (snapshot.parts ?? []).length === partChecksums.length &&
  (snapshot.parts ?? []).every(
    (bytes, part) => partChecksums[part] === partChecksum(key, snapshot, part, bytes),
  );

/** Damages whatever is kept, as a crash in the middle of a write would: every state ends half-way. */
export function cutInHalf(kinds: KeptInMemory): void {
  for (const keys of kinds.values()) {
    for (const { snapshot } of [...keys.values()].flat()) {
      snapshot.state = snapshot.state.slice(0, snapshot.state.length >> 1);
    }
  }
}
