import { snapshotsContract } from './snapshots.contract.ts';
import { memorySnapshots } from './snapshots.memory.ts';

snapshotsContract('memory', async (storeId) => {
  const snapshots = memorySnapshots({ storeId });
  return { snapshots, close: () => snapshots.close() };
});
