import { partChecksum, stateChecksum } from './checksum.ts';
import {
  assertParts,
  firstReadable,
  type Snapshot,
  type SnapshotKey,
  type SnapshotOptions,
  type Snapshots,
  type Stored,
  snapshotPast,
} from './snapshots.ts';

/** Generations by kind and version, then by key: the older one before the newer. */
export type SnapshotsInMemory = Map<string, Map<string, GenerationInMemory[]>>;
export type GenerationInMemory = {
  snapshot: Snapshot;
  /** Null: an older version wrote it, without a checksum. */
  checksum: number | null;
  partChecksums: number[];
};

/** Snapshots in memory, for unit tests and simulation. Tests that damage snapshots pass the map that holds them, `kinds`. */
export function memorySnapshots(options: SnapshotOptions & { kinds?: SnapshotsInMemory }): Snapshots {
  const { store, log, kinds = new Map<string, Map<string, GenerationInMemory[]>>() } = options;
  const past = snapshotPast(store);
  const keysOf = ({ kind, version }: Pick<SnapshotKey, 'kind' | 'version'>) => {
    const name = JSON.stringify([kind, version]);
    const keys = kinds.get(name) ?? new Map<string, GenerationInMemory[]>();
    kinds.set(name, keys);
    return keys;
  };

  return {
    async load(key, read) {
      const generations = keysOf(key).get(key.key) ?? [];
      const stored = generations.toReversed().map((saved): Stored => {
        const position = String(saved.snapshot.cursor.position);
        if (!isWhole(key, saved)) return { position, damage: 'it is not what was saved' };
        return { position, snapshot: structuredClone(saved.snapshot) };
      });
      const remove = async ({ position }: Stored) => {
        const others = (keysOf(key).get(key.key) ?? []).filter(
          ({ snapshot }) => String(snapshot.cursor.position) !== position,
        );
        keysOf(key).set(key.key, others);
      };
      return firstReadable(key, stored, read, { past, log, remove });
    },
    async save(key, snapshot) {
      if (snapshot.cursor.storeId !== store.id) {
        throw new RangeError(`${key.kind} ${key.key}: a snapshot of store ${snapshot.cursor.storeId}`);
      }
      const cursor = await past.cursor(snapshot.cursor.position);
      assertParts(`${key.kind} ${key.key}`, snapshot.parts ?? []);
      const generations = keysOf(key).get(key.key) ?? [];
      const position = generations.at(-1)?.snapshot.cursor.position ?? -1;
      if (snapshot.cursor.position < position) return;
      const before = generations.filter((one) => one.snapshot.cursor.position < snapshot.cursor.position);
      keysOf(key).set(key.key, [...before.slice(-1), generation(key, { ...snapshot, cursor })]);
    },
    async keys(kind, version) {
      return [...keysOf({ kind, version }).keys()].sort();
    },
    async close() {},
  };
}

const generation = (key: SnapshotKey, snapshot: Snapshot): GenerationInMemory => ({
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

/** Damages every snapshot as a crash in the middle of a write would: every state ends half-way. */
export function cutInHalf(kinds: SnapshotsInMemory): void {
  for (const keys of kinds.values()) {
    for (const { snapshot } of [...keys.values()].flat()) {
      snapshot.state = snapshot.state.slice(0, snapshot.state.length >> 1);
    }
  }
}
