import type { AdapterSettings } from './adapters.settings.ts';
import { postgresEventStore } from './eventStore.postgres.ts';
import type { Codec, EventStore } from './eventStore.ts';
import { storeFeed } from './feed.store.ts';
import type { Feed } from './feed.ts';
import { postgresHotStore } from './hotStore.postgres.ts';
import { redisHotStore } from './hotStore.redis.ts';
import type { HotStore } from './hotStore.ts';
import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';
import { talliesWithFallback } from './tally.fallback.ts';
import { memoryTallies } from './tally.memory.ts';
import { redisTallies } from './tally.redis.ts';
import type { Tallies } from './tally.ts';

/**
 * The one place where configuration chooses adapters. Services ask for a port and are given whatever the settings
 * name; nothing else knows which one it is.
 */
type Around = { settings: AdapterSettings; runtime: Runtime; log?: Log | undefined };

export async function openEventStore<E>({
  settings,
  ...rest
}: Around & { codec: Codec<E> }): Promise<EventStore<E>> {
  return postgresEventStore({ databaseUrl: settings.databaseUrl, ...rest });
}

/** `storeId`: of the event store that its views are made from. */
export async function openHotStore({
  settings,
  storeId,
  ...rest
}: Around & { storeId: string }): Promise<HotStore> {
  if (settings.redisUrl) return redisHotStore({ url: settings.redisUrl, storeId, ...rest });
  return postgresHotStore({ databaseUrl: settings.databaseUrl, ...rest });
}

/** The feed of consumers that read the store's own order. */
export function openFeed<E>({ store, runtime, log }: Around & { store: EventStore<E> }): Feed<E> {
  return storeFeed({ store, runtime, log });
}

/** What limits rest on: shared among all processes where there is a Redis. `secret` hides what is counted from it. */
export async function openTallies({
  settings,
  ...rest
}: Around & { storeId: string; secret: Buffer }): Promise<Tallies> {
  const own = memoryTallies(rest.runtime);
  if (!settings.redisUrl) return own;
  return talliesWithFallback({
    shared: await redisTallies({ url: settings.redisUrl, ...rest }),
    own,
    ...rest,
  });
}
