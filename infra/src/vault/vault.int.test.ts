import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Runtime, realRuntime } from '../runtime/runtime.ts';
import { type FreshDatabase, freshDatabase } from '../servers/testServers.ts';
import { ERASED, KEY_BYTES, SealBroken } from './sealing.ts';
import { vaultContract } from './vault.contract.ts';
import { postgresVault } from './vault.postgres.ts';
import { KEY_CACHE_TTL_MS, type Vault } from './vault.ts';

const masterKey = randomBytes(KEY_BYTES);

vaultContract('postgres', async () => {
  const database = await freshDatabase();
  const vault = await postgresVault({ databaseUrl: database.url, masterKey, runtime: realRuntime });
  return {
    vault,
    close: async () => {
      await vault.close();
      await database.drop();
    },
  };
});

let database: FreshDatabase;
const opened: Vault[] = [];
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(async () => {
  for (const vault of opened.splice(0)) await vault.close();
  await database.drop();
});
const open = async (key: Buffer, runtime: Runtime = realRuntime) => {
  const vault = await postgresVault({ databaseUrl: database.url, masterKey: key, runtime });
  opened.push(vault);
  return vault;
};

test('a key survives the process, and no key lies in the database in the clear', async () => {
  const clientId = randomUUID();
  const key = await (await open(masterKey)).createKey(clientId);
  expect(await (await open(masterKey)).key(clientId)).toEqual(key);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<{ wrapped: Buffer }>('select wrapped from vault.client_key');
  await client.end();
  const secret = 'secret' in key ? key.secret : Buffer.alloc(0);
  expect(rows.length).toBe(1);
  expect(rows[0]?.wrapped.includes(secret)).toBe(false);
});

test('under another master key the vault does not open', async () => {
  const clientId = randomUUID();
  await (await open(masterKey)).createKey(clientId);
  const other = await open(randomBytes(KEY_BYTES));
  await expect(other.key(clientId)).rejects.toThrow(SealBroken);
});

test('what another process destroyed is erased here when the cache has run out', async () => {
  let nowMs = 1_000;
  const vault = await open(masterKey, { ...realRuntime, monotonicMs: () => nowMs });
  const clientId = randomUUID();
  const key = await vault.createKey(clientId);
  await (await open(masterKey)).destroy(clientId);
  expect(await vault.key(clientId)).toEqual(key);
  nowMs += KEY_CACHE_TTL_MS + 1;
  expect(await vault.key(clientId)).toEqual(ERASED);
});

test('that a client has no key is remembered as long as a key is, and forgotten where one is made', async () => {
  let nowMs = 1_000;
  const vault = await open(masterKey, { ...realRuntime, monotonicMs: () => nowMs });
  const [here, elsewhere] = [randomUUID(), randomUUID()];
  expect([await vault.key(here), await vault.key(elsewhere)]).toEqual([undefined, undefined]);
  const made = await vault.createKey(here);
  expect(await vault.key(here)).toEqual(made);
  const other = await (await open(masterKey)).createKey(elsewhere);
  expect(await vault.key(elsewhere)).toBeUndefined();
  nowMs += KEY_CACHE_TTL_MS + 1;
  expect(await vault.key(elsewhere)).toEqual(other);
});
