import { randomUUID } from 'node:crypto';
import { eventStoreContract, notedCodec } from './eventStore.contract.ts';
import { memoryEventStore } from './eventStore.memory.ts';

eventStoreContract('memory', async () => {
  const store = memoryEventStore({ id: randomUUID(), codec: notedCodec });
  return { store, close: () => store.close() };
});
