import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { reusedDatabase } from '../../test/reusedDatabase.ts';
import { realRuntime as runtime } from '../runtime/runtime.ts';
import { hotStoreContract } from './hotStore.contract.ts';
import { postgresHotStore } from './hotStore.postgres.ts';
import { redisHotStore } from './hotStore.redis.ts';
import type { HotStore } from './hotStore.ts';

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

test('a notification that cannot be understood makes each view be looked at, and ends no process', async () => {
  const databaseUrl = await database.emptied();
  const { hotStore, close } = await both(() => postgresHotStore({ databaseUrl, runtime }));
  onTestFinished(close);
  const view = hotStore.view('depth', 1);
  const storeId = randomUUID();
  await view.write({ from: null, to: { storeId, position: 5 }, set: new Map([['A', '1']]) });
  const heard: number[] = [];
  view.onChange((position) => heard.push(position));
  await expect.poll(() => heard.at(-1)).toBe(5);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  for (const payload of ['', 'garbage', '["depth",1', '{}', '["depth",1,"x"]']) {
    heard.length = 0;
    await client.query('select pg_notify($1, $2)', ['brokerx_hot', payload]);
    await expect.poll(() => heard.at(-1)).toBe(5);
  }
  await client.end();
});

const url = inject('redisUrl') ?? '';
describe.runIf(url)('on Redis', () => {
  hotStoreContract('redis', async () => {
    const storeId = randomUUID();
    return both(() => redisHotStore({ url, storeId, runtime }));
  });
});
