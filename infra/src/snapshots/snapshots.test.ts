import { type Damage, snapshotsContract } from './snapshots.contract.ts';
import { type GenerationInMemory, memorySnapshots, type SnapshotsInMemory } from './snapshots.memory.ts';

const DAMAGE: Record<Damage, (newest: GenerationInMemory, other: GenerationInMemory) => void> = {
  'the state is cut in half': ({ snapshot }) => {
    snapshot.state = snapshot.state.slice(0, 5);
  },
  'the state is another': ({ snapshot }) => {
    snapshot.state = '{"orders":7}';
  },
  'the state is empty': ({ snapshot }) => {
    snapshot.state = '';
  },
  'the position is another': ({ snapshot }) => {
    snapshot.cursor.position = 8;
  },
  'the position is beyond all numbers': ({ snapshot }) => {
    snapshot.cursor.position = Number.MAX_VALUE;
  },
  'the revision is another': ({ snapshot }) => {
    snapshot.revision = 3;
  },
  'a part is another': ({ snapshot }) => {
    snapshot.parts = [new Uint8Array([1, 2]), new Uint8Array([3, 5])];
  },
  'a part is missing': ({ snapshot }) => {
    snapshot.parts = snapshot.parts?.slice(0, 1) ?? [];
  },
  'a part is one too many': ({ snapshot }) => {
    snapshot.parts = [...(snapshot.parts ?? []), new Uint8Array([9])];
  },
  'it is that of another key': (newest, other) => {
    Object.assign(newest, structuredClone(other));
  },
  'the state is cut in half, and there is no checksum': (newest) => {
    newest.snapshot.state = newest.snapshot.state.slice(0, 5);
    newest.checksum = null;
  },
  'it does not say what it rests on': ({ snapshot }) => {
    delete snapshot.cursor.landmark;
  },
};

snapshotsContract('memory', async (store, log) => {
  const kinds: SnapshotsInMemory = new Map();
  const snapshots = memorySnapshots({ store, log, kinds });
  const newest = (key: string) => {
    const found = [...kinds.values()].flatMap((keys) => keys.get(key) ?? []).at(-1);
    if (!found) throw new Error(`nothing is kept of ${key}`);
    return found;
  };
  return {
    snapshots,
    damage: async (how, { key }) =>
      DAMAGE[how](newest(key), newest(how === 'it is that of another key' ? 'account-2' : key)),
    again: async (other) => memorySnapshots({ store: other, log, kinds }),
    close: () => snapshots.close(),
  };
});
