import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { postgresEventStore } from '@brokerx/infra/eventStore/eventStore.postgres.ts';
import type { Codec, EventStore } from '@brokerx/infra/eventStore/eventStore.ts';
import type { StoredEvent } from '@brokerx/infra/eventStore/migration/storeDigest.ts';
import { CONNECT_TIMEOUT_MS } from '@brokerx/infra/postgres/postgres.ts';
import { createLog } from '@brokerx/infra/runtime/log.ts';
import { mayFail } from '@brokerx/infra/runtime/mayFail.ts';
import { realRuntime } from '@brokerx/infra/runtime/runtime.ts';
import { startEmbeddedPostgres } from '@brokerx/infra/servers/embeddedPostgres.ts';
import pg from 'pg';

/**
 * A store as a person names it: the address of a PostgreSQL or an EventStoreDB, or the data folder of an installation
 * that is stopped, whose database is started for as long as the store is open.
 */
export type OpenedStore = { store: EventStore<StoredEvent>; close(): Promise<void> };

class StoreAddressRefused extends Error {
  override name = 'StoreAddressRefused';
}

export const isStoreAddress = (address: string): boolean =>
  /^(postgres(ql)?|esdb(\+discover)?):\/\//.test(address) || isDataFolder(address);

const isDataFolder = (address: string) =>
  !address.includes('://') && existsSync(join(resolve(address), 'postgres', 'data'));

/** Opens a store. With `mayCreate` an absent one is created; otherwise it is refused. */
export async function openStoreAt(
  address: string,
  { mayCreate }: { mayCreate: boolean },
): Promise<OpenedStore> {
  const { eventCodec } = await import('@brokerx/contracts/events/codec.ts');
  // Nothing is upcast: what is moved stays as it was written.
  const codec = eventCodec({}) as unknown as Codec<StoredEvent>;
  const storeOptions = { codec, runtime: realRuntime };
  if (isDataFolder(address)) return openFolder(resolve(address), mayCreate);
  try {
    if (address.startsWith('esdb')) {
      const { eventStoreDb } = await import('@brokerx/infra/eventStore/eventStore.eventstoredb.ts');
      const store = await eventStoreDb({ url: address, ...storeOptions });
      return { store, close: () => store.close() };
    }
    if (!mayCreate) await refuseAbsentStore(address);
    const store = await postgresEventStore({ databaseUrl: address, ...storeOptions });
    return { store, close: () => store.close() };
  } catch (error) {
    if (error instanceof StoreAddressRefused) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreAddressRefused(
      `the event store at ${withoutSecrets(address)} cannot be opened: ${reason || 'nobody answers'}`,
      { cause: error },
    );
  }
}

/** Opens the store of a stopped installation. Starting its database fails if the installation still runs. */
async function openFolder(folder: string, mayCreate: boolean): Promise<OpenedStore> {
  const log = createLog({ name: 'brokerx', level: 'silent' });
  const server = await startEmbeddedPostgres({ dataRoot: folder, log });
  try {
    const { store, close } = await openStoreAt(server.url, { mayCreate });
    return {
      store,
      async close() {
        await close();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Refuses a database without an event store. Opening it would create one, but a store that is copied is only read. */
async function refuseAbsentStore(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  try {
    await client.connect();
    const { rows } = await client.query<{ there: boolean }>(
      `select to_regclass('store.commit') is not null as there`,
    );
    if (!rows[0]?.there) throw new StoreAddressRefused(`${withoutSecrets(url)} holds no event store`);
  } finally {
    await mayFail(client.end(), 'it may never have been connected');
  }
}

const withoutSecrets = (url: string) => url.replace(/\/\/[^@/]*@/, '//').replace(/\?.*$/, '');
