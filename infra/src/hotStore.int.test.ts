import { randomUUID } from 'node:crypto';
import { describe, inject } from 'vitest';
import { reusedDatabase } from '../test/reusedDatabase.ts';
import { hotStoreContract } from './hotStore.contract.ts';
import { postgresHotStore } from './hotStore.postgres.ts';
import { redisHotStore } from './hotStore.redis.ts';
import type { HotStore } from './hotStore.ts';
import { realRuntime as runtime } from './runtime.ts';

const database = reusedDatabase();

const both = async (open: () => Promise<HotStore>) => {
  const hotStore = await open();
  const elsewhere = await open();
  const close = async () => {
    await Promise.all([hotStore.close(), elsewhere.close()]);
  };
  return { hotStore, elsewhere, close };
};

hotStoreContract('postgres', async () => {
  const databaseUrl = await database.emptied();
  return both(() => postgresHotStore({ databaseUrl, runtime }));
});

const url = inject('redisUrl') ?? '';
describe.runIf(url)('on Redis', () => {
  hotStoreContract('redis', async () => {
    const storeId = randomUUID();
    return both(() => redisHotStore({ url, storeId, runtime }));
  });
});
