import assert from 'node:assert/strict';
import { LRUCache } from 'lru-cache';
import { migrate } from '../postgres/migrate.ts';
import { isTransient, openPool } from '../postgres/postgres.ts';
import type { Log } from '../runtime/log.ts';
import { repeating } from '../runtime/retry.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type ClientKey, ERASED, type Erased, newClientKey, unwrapKey, wrapKey } from './sealing.ts';
import { isErased, KEY_CACHE_MAX, KEY_CACHE_TTL_MS, type Vault } from './vault.ts';

/**
 * The key vault on PostgreSQL (`migrations/vault`). In production its database should not be the one that holds the events,
 * whose backups must not bring destroyed keys back.
 */
export async function postgresVault(options: {
  databaseUrl: string;
  /** 32 bytes that wrap all keys: neither the vault nor the master key is of any use without the other. */
  masterKey: Buffer;
  runtime: Runtime;
  log?: Log | undefined;
}): Promise<Vault> {
  const { databaseUrl, masterKey, runtime, log } = options;
  let closed = false;
  const repeat = <T>(work: () => Promise<T>) =>
    repeating(runtime, REPEAT_MS, work, { isTransient, isOver: () => closed });
  const directory = new URL('../../migrations/vault', import.meta.url);
  await repeat(() => migrate({ databaseUrl, directory, name: 'vault' }));
  const pool = openPool({ databaseUrl, max: CONNECTIONS, applicationName: 'brokerx vault', log });
  const cache = <T extends object>() =>
    new LRUCache<string, T>({
      max: KEY_CACHE_MAX,
      ttl: KEY_CACHE_TTL_MS,
      ttlResolution: 0,
      perf: { now: () => runtime.monotonicMs() },
    });
  const [byClient, byId] = [cache<ClientKey>(), cache<ClientKey>()];
  // Cached for as long as keys, so that the time of an answer does not reveal whether a client exists.
  const withoutKey = cache<object>();

  const open = (row: Row): ClientKey | Erased => {
    if (!row.wrapped) return ERASED;
    return unwrapKey(masterKey, { keyId: row.key_id, clientId: row.client_id }, row.wrapped);
  };
  const find = async (
    column: 'client_id' | 'key_id',
    id: string,
  ): Promise<ClientKey | Erased | undefined> => {
    const cached = (column === 'client_id' ? byClient : byId).get(id);
    if (cached) return cached;
    const { rows } = await repeat(() => pool.query<Row>({ ...FIND[column], values: [id] }));
    const key = rows[0] && open(rows[0]);
    if (key && !isErased(key)) {
      byClient.set(key.clientId, key);
      byId.set(key.keyId, key);
    }
    return key;
  };

  return {
    async createKey(clientId) {
      const existing = await find('client_id', clientId);
      if (existing) return existing;
      const key = newClientKey(clientId, runtime);
      const values = [key.keyId, clientId, wrapKey(masterKey, key, runtime)];
      withoutKey.delete(clientId);
      // The first of several concurrent calls stores its key, and all read that one.
      await repeat(() => pool.query({ ...CREATE, values }));
      const created = await find('client_id', clientId);
      assert(created, 'a key that was just made is there');
      return created;
    },
    async key(clientId) {
      if (withoutKey.has(clientId)) return undefined;
      const key = await find('client_id', clientId);
      // `createKey` may have made one while this call read.
      if (!key && !byClient.has(clientId)) withoutKey.set(clientId, {});
      return key;
    },
    keyById: (keyId) => find('key_id', keyId),
    async destroy(clientId) {
      await repeat(() => pool.query({ ...DESTROY, values: [clientId] }));
      byClient.delete(clientId);
      // A key may be cached by its id alone. Destruction is rare, so the whole cache is cleared.
      byId.clear();
      log?.info({ clientId }, 'the key of a client was destroyed');
      // The dead row version still holds the wrapped key until it is vacuumed away.
      await pool.query('vacuum vault.client_key').catch((err: unknown) => {
        log?.warn({ err, clientId }, 'a destroyed key was not vacuumed away at once; autovacuum will do it');
      });
    },
    async close() {
      if (closed) return;
      closed = true;
      await pool.end();
    },
  };
}

/** Connections: two are enough, because keys are cached. */
const CONNECTIONS = 2;
/** Milliseconds for which a statement is repeated while the server is away: longer than a restart takes. */
const REPEAT_MS = 10_000;

type Row = { key_id: string; client_id: string; wrapped: Buffer | null };

const FIND = {
  client_id: {
    name: 'vault_find_client',
    text: 'select key_id, client_id, wrapped from vault.client_key where client_id = $1',
  },
  key_id: {
    name: 'vault_find_key',
    text: 'select key_id, client_id, wrapped from vault.client_key where key_id = $1',
  },
} as const;

const CREATE = {
  name: 'vault_create',
  text: `insert into vault.client_key (key_id, client_id, wrapped) values ($1, $2, $3)
         on conflict (client_id) do nothing`,
} as const;

const DESTROY = {
  name: 'vault_destroy',
  text: `update vault.client_key set wrapped = null, destroyed_at = clock_timestamp()
          where client_id = $1 and wrapped is not null`,
} as const;
