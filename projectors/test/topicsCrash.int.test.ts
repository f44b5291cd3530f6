import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Event, eventCodec } from '@brokerx/contracts';
import {
  type EventStore,
  heardElsewhere,
  type KafkaClient,
  type KafkaProducer,
  type Outgoing,
  type OutgoingMessage,
  postgresEventStore,
  realRuntime as runtime,
} from '@brokerx/infra';
import { freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { makeHistory, mulberry32 } from './history.ts';
import { appendAll, storeInMemory } from './readModelsOf.ts';
import {
  isOrdered,
  isWatermark,
  log,
  placesInStore,
  placesOf,
  readTopics,
  relayIn,
  taken,
  topicsWorld,
  type World,
} from './topicsWorld.ts';

const never = new Promise<never>(() => undefined);
const brokers = inject('kafkaBrokers') ?? '';

/** What readers took, and the lowest position that all partitions reached. */
async function read(world: World, store: EventStore<Event>) {
  const messages = await readTopics(world);
  const { events, reached } = taken(messages, store.id);
  return { messages, places: placesOf(events), reached: Math.min(...reached.values()) };
}

/** Waits until every partition has everything up to the position. */
const reached = (world: World, store: EventStore<Event>, position: number) =>
  expect.poll(async () => (await read(world, store)).reached, { interval: 250 }).toBe(position);

describe.runIf(brokers !== '')('the relay after a crash', { timeout: 120_000 }, () => {
  test('killed again and again while events come in, it loses nothing and repeats nothing', {
    timeout: 90_000,
  }, async () => {
    const database = await freshDatabase();
    const store = await postgresEventStore({ databaseUrl: database.url, codec: eventCodec(), runtime, log });
    const world = topicsWorld({ store, brokers });
    let relay: ChildProcess | null = null;
    const start = (owner: string) => {
      const script = fileURLToPath(new URL('./relayProcess.ts', import.meta.url));
      const args = [script, database.url, brokers, world.prefix, owner];
      relay = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    };
    const kill = async () => {
      if (!relay || relay.exitCode !== null || relay.signalCode !== null) return;
      const ended = once(relay, 'exit');
      relay.kill('SIGKILL');
      await ended;
    };
    onTestFinished(async () => {
      await kill();
      await store.close();
      await database.drop();
    });

    const history = makeHistory({ seed: 7, orders: 1_200 });
    const below = mulberry32(3);
    const sometime = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    start('relay-1');
    const parts = 40;
    const size = Math.ceil(history.commits.length / parts);
    for (let part = 0; part < parts; part++) {
      await appendAll(store, history.commits.slice(part * size, (part + 1) * size));
      await sometime(below(60));
      if (part % 10 === 9) {
        // Killed in the middle of it, some time after it began to work again.
        await sometime(700 + below(500));
        await kill();
        start('relay-1');
      }
    }
    const head = await store.head();
    await reached(world, store, head);
    const { messages } = await read(world, store);
    expect(isOrdered(messages)).toBe(true);
    // Not only what readers take: nothing stands there twice.
    expect(placesOf(messages.filter((message) => !isWatermark(message)))).toEqual(await placesInStore(store));
  });

  test('what was acknowledged and never known to be is not sent again', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    await appendAll(store, makeHistory({ seed: 9, orders: 200 }).commits);
    const acknowledged = Promise.withResolvers<void>();
    const first = relayIn(world, {
      // The brokers have it, and the relay dies before it is told.
      through: sendingThrough(async (messages, producer) => {
        await producer.send(messages);
        if (!hasEvents(messages)) return;
        acknowledged.resolve();
        await never;
      }),
    });
    await acknowledged.promise;
    await first.stop();
    relayIn(world);
    const head = await store.head();
    await reached(world, store, head);
    const { messages } = await read(world, store);
    expect(placesOf(messages.filter((message) => !isWatermark(message)))).toEqual(await placesInStore(store));
  });

  test('what one partition acknowledged and others lost is sent again to those alone', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    await appendAll(store, makeHistory({ seed: 10, orders: 200 }).commits);
    let lost = 0;
    const relay = relayIn(world, {
      through: sendingThrough(async (messages, producer) => {
        // A partition takes its part of a request whole or not at all.
        const isLost = ({ partition }: OutgoingMessage) => partition % 2 === 1;
        const missing = [...messages.values()]
          .flat()
          .filter((each) => isLost(each) && each.key !== null).length;
        if (lost > 0 || missing === 0) return producer.send(messages);
        lost = missing;
        await producer.send(
          new Map([...messages].map(([topic, some]) => [topic, some.filter((message) => !isLost(message))])),
        );
        throw new Error('a broker is gone');
      }),
    });
    const head = await store.head();
    await reached(world, store, head);
    expect(lost).toBeGreaterThan(0);
    const { messages } = await read(world, store);
    expect(isOrdered(messages)).toBe(true);
    expect(placesOf(messages.filter((message) => !isWatermark(message)))).toEqual(await placesInStore(store));
    await expect(relay.metrics.scrape()).resolves.toMatchObject({
      text: expect.stringMatching(/brokerx_relay_errors_total\{[^}]*\} 1\n/),
    });
  });

  test('what a paused relay still sends after another took over is dropped, and never counted as sent', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    const { commits } = makeHistory({ seed: 12, orders: 300 });
    const third = Math.ceil(commits.length / 3);
    await appendAll(store, commits.slice(0, third));
    const paused = Promise.withResolvers<void>();
    const woken = Promise.withResolvers<void>();
    const sentLate = Promise.withResolvers<void>();
    let isPaused = false;
    const old = relayIn(world, {
      owner: 'old',
      // It does not look whether it still has its lease: it is paused.
      ttlMs: 600_000,
      through: sendingThrough(async (messages, producer) => {
        if (!isPaused || !hasEvents(messages)) return producer.send(messages);
        paused.resolve();
        await woken.promise;
        await producer.send(messages);
        sentLate.resolve();
      }),
    });
    await expect.poll(() => old.position()).toBe(await store.head());
    isPaused = true;
    await appendAll(store, commits.slice(third, 2 * third));
    await paused.promise;

    // Its lease runs out: another relay begins, and dies when it has announced itself and sent nothing more.
    world.rows.set('relay', { owner: null, epoch: 1, expiresAtMs: 0 });
    let announced = 0;
    const successor = relayIn(world, {
      owner: 'successor',
      through: sendingThrough(async (messages, producer) => {
        if (announced > 0) return never;
        await producer.send(messages);
        announced += 1;
      }),
    });
    await expect.poll(() => announced).toBe(1);
    await successor.stop();
    woken.resolve();
    await sentLate.promise;
    await old.stop();

    await appendAll(store, commits.slice(2 * third));
    relayIn(world, { owner: 'third' });
    const head = await store.head();
    await reached(world, store, head);
    const { places, messages } = await read(world, store);
    expect(places).toEqual(await placesInStore(store));
    expect(messages.filter((message) => !isWatermark(message)).length).toBeGreaterThan(places.length);
    expect(isOrdered(messages)).toBe(true);
  });
});

const hasEvents = (messages: Outgoing): boolean =>
  [...messages.values()].flat().some(({ key }) => key !== null);

/** A client whose producers send in another way. */
function sendingThrough(
  send: (messages: Outgoing, producer: KafkaProducer) => Promise<void>,
): (kafka: KafkaClient) => KafkaClient {
  return (kafka) => ({
    ...kafka,
    async producer(over) {
      const producer = await kafka.producer(over);
      const stopped = new Promise<never>((_, reject) =>
        over.addEventListener('abort', () => reject(new Error('stopped')), { once: true }),
      );
      heardElsewhere(stopped);
      return {
        ...producer,
        send: (messages) => Promise.race([send(messages, producer), stopped]),
      };
    },
  });
}
