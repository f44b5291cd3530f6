import { hotStoreContract } from './hotStore.contract.ts';
import { memoryHotStore } from './hotStore.memory.ts';

hotStoreContract('memory', async () => {
  const hotStore = memoryHotStore();
  return { hotStore, elsewhere: hotStore, close: () => hotStore.close() };
});
