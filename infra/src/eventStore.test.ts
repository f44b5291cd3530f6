import { randomUUID } from 'node:crypto';
import { notedCodec } from '../test/noted.ts';
import { eventStoreContract } from './eventStore.contract.ts';
import { memoryEventStore } from './eventStore.memory.ts';

eventStoreContract('memory', async () => {
  const store = memoryEventStore({ id: randomUUID(), codec: notedCodec });
  return { store, close: () => store.close() };
});
