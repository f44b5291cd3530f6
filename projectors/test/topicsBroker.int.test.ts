import { type KafkaBroker, kafkaBroker } from '@brokerx/infra/servers/kafkaBroker.ts';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { makeHistory } from './history.ts';
import { appendAll, storeInMemory } from './readModelsOf.ts';
import {
  isOrdered,
  isWatermark,
  log,
  placesInStore,
  placesOf,
  type RunningRelay,
  readTopics,
  relayIn,
  topicsWorld,
} from './topicsWorld.ts';

const jars = inject('kafkaJars') ?? '';

const PATIENCE = { timeout: 100_000, interval: 100 };
/** A broker that was away has no leader for its partitions for a moment, and says so. */
const readAgain = (world: Parameters<typeof readTopics>[0]) => vi.waitFor(() => readTopics(world), PATIENCE);
const standsAt = (relay: RunningRelay, position: number) =>
  expect.poll(() => relay.position(), PATIENCE).toBe(position);

describe.runIf(jars !== '')('the relay and its broker', { timeout: 120_000 }, () => {
  /** A broker for these tests alone, which they kill. */
  let broker: KafkaBroker;
  beforeAll(async () => {
    broker = await kafkaBroker({ libs: jars, log });
    await broker.start();
  });
  afterAll(() => broker.remove());

  test('a broker that is killed and comes back with its data is filled on where it was', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers: broker.address });
    const { commits } = makeHistory({ seed: 21, orders: 400 });
    const relay = relayIn(world);
    await appendAll(store, commits.slice(0, 300));
    await standsAt(relay, await store.head());
    await broker.kill();
    await appendAll(store, commits.slice(300, 800));
    await expect.poll(() => relay.state(), PATIENCE).not.toBe('ok');
    expect(relay.position() ?? 0).toBeLessThan(await store.head());
    await broker.start();
    await standsAt(relay, await store.head());
    await expect.poll(() => relay.state(), PATIENCE).toBe('ok');
    await appendAll(store, commits.slice(800));
    await standsAt(relay, await store.head());
    const messages = await readAgain(world);
    expect(isOrdered(messages)).toBe(true);
    expect(placesOf(messages.filter((message) => !isWatermark(message)))).toEqual(await placesInStore(store));
  });

  test('a broker that comes back empty is given its topics and everything again, also while nothing happens', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers: broker.address });
    const { commits } = makeHistory({ seed: 22, orders: 200 });
    const relay = relayIn(world, { checkEveryMs: 500 });
    await appendAll(store, commits);
    await standsAt(relay, await store.head());
    await broker.kill();
    broker.wipe();
    await broker.start();
    const places = async () => {
      const messages = await readTopics(world).catch(() => []);
      return placesOf(messages.filter((message) => !isWatermark(message)));
    };
    const all = await placesInStore(store);
    await expect.poll(async () => (await places()).length, PATIENCE).toBe(all.length);
    expect(await places()).toEqual(all);
    await standsAt(relay, await store.head());
  });

  test('a broker that hangs for a while and then answers is no reason to send anything twice out of order', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers: broker.address });
    const { commits } = makeHistory({ seed: 24, orders: 200 });
    const relay = relayIn(world);
    await appendAll(store, commits.slice(0, 200));
    await standsAt(relay, await store.head());
    broker.pause();
    await appendAll(store, commits.slice(200));
    // Longer than a request may take, so that it is repeated while the first one is still on its way.
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    broker.resume();
    await standsAt(relay, await store.head());
    const messages = await readAgain(world);
    expect(isOrdered(messages)).toBe(true);
    expect(placesOf(messages.filter((message) => !isWatermark(message)))).toEqual(await placesInStore(store));
  });
});
