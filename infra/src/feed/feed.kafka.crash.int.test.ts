import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { WAIT_MS } from '../../test/stage.ts';
import { appendMany, expectAll, gatherer, openWorld } from '../../test/topicWorld.ts';
import { createLog } from '../runtime/log.ts';
import { type KafkaBroker, kafkaBroker } from '../servers/kafkaBroker.ts';

const jars = inject('kafkaJars') ?? '';

describe.runIf(jars)('a broker of its own', () => {
  let broker: KafkaBroker;
  beforeAll(async () => {
    broker = await kafkaBroker({ libs: jars, log: createLog({ name: 'test', level: 'silent' }) });
    await broker.start();
  });
  afterAll(() => broker.remove());

  test.for(['killed', 'emptied', 'paused'] as const)(
    'is %s and comes back: consumers go on all the time, and read the topic again',
    { timeout: 300_000 },
    async (how) => {
      const world = await openWorld({ brokers: broker.address, partitions: 3 });
      const { store, feed, reads } = world;
      const consumers = [gatherer({}), gatherer({ filter: { categories: ['book'] }, batchEventsMax: 4 })];
      const subscriptions = consumers.map((consumer) => feed.subscribe(consumer));
      const reached = async () => {
        const head = await store.head();
        await Promise.all(subscriptions.map((subscription) => subscription.reached(head, WAIT_MS)));
      };
      const writeForAWhile = async () => {
        for (let i = 0; i < 20; i++) {
          await appendMany(store, 6, `part ${i}`);
          await delay(5);
        }
      };
      await writeForAWhile();
      await reached();

      const writing = writeForAWhile();
      if (how === 'killed' || how === 'emptied') await broker.kill();
      if (how === 'paused') broker.pause();
      if (how === 'emptied') broker.wipe();
      await writing;
      await reached();
      await writeForAWhile();
      await reached();
      expect(feed.isInTime()).toBe(false);
      for (const consumer of consumers) await expectAll(store, consumer);

      if (how === 'paused') broker.resume();
      else await broker.start();
      await writeForAWhile();
      await expect.poll(feed.isInTime, { interval: 50 }).toBe(true);
      await reached();
      const before = reads();
      await writeForAWhile();
      await reached();
      expect(reads()).toBe(before);
      for (const consumer of consumers) await expectAll(store, consumer);
      await feed.close();
      await world.closeRest();
    },
  );

  test('hangs when everything is to end: it ends all the same', async () => {
    const { store, feed, writer } = await openWorld({ brokers: broker.address, partitions: 2 });
    const consumer = gatherer({});
    const subscription = feed.subscribe(consumer);
    await appendMany(store, 4, 'a');
    await subscription.reached(8, WAIT_MS);
    broker.pause();
    await appendMany(store, 4, 'b');
    const closed = feed.close().then(() => 'closed');
    expect(await Promise.race([closed, delay(5_000, 'hangs')])).toBe('closed');
    broker.resume();
    await writer.stop();
  });
});
