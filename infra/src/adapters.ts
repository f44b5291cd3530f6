import type { AdapterSettings } from './adapters.settings.ts';
import { postgresEventStore } from './eventStore.postgres.ts';
import type { Codec, EventStore } from './eventStore.ts';
import { storeFeed } from './feed.store.ts';
import type { Feed } from './feed.ts';
import { postgresHotStore } from './hotStore.postgres.ts';
import type { HotStore } from './hotStore.ts';
import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';

/**
 * The one place where configuration chooses adapters. Services ask for a port and are given whatever the settings
 * name; nothing else knows which one it is.
 */
type Around = { settings: AdapterSettings; runtime: Runtime; log?: Log | undefined };

export async function openEventStore<E>({
  settings,
  ...rest
}: Around & { codec: Codec<E> }): Promise<EventStore<E>> {
  const { eventStoreUrl: url, databaseUrl } = settings;
  if (url === undefined) return postgresEventStore({ databaseUrl, ...rest });
  // Loaded only where it is used: its client is half as large as all the rest.
  const { eventStoreDb } = await import('./eventStore.eventstoredb.ts');
  return eventStoreDb({ url, ...rest });
}

export async function openHotStore({ settings, ...rest }: Around): Promise<HotStore> {
  return postgresHotStore({ databaseUrl: settings.databaseUrl, ...rest });
}

/** The feed of consumers that read the store's own order. */
export function openFeed<E>({ store, runtime, log }: Around & { store: EventStore<E> }): Feed<E> {
  return storeFeed({ store, runtime, log });
}
