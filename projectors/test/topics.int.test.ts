import { execFile, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Event, eventCodec, partitionOf, TOPICS } from '@brokerx/contracts';
import {
  type Commit,
  type MemoryLeases,
  memoryEventStore,
  memorySnapshots,
  partitionKey,
} from '@brokerx/infra';
import { describe, expect, inject, test } from 'vitest';
import { topicLayout } from '../src/relay/topicLayout.ts';
import { makeHistory } from './history.ts';
import { appendAll, storeInMemory } from './readModelsOf.ts';
import {
  isOrdered,
  isWatermark,
  type Message,
  partitionOfMessage,
  placesInStore,
  placesOf,
  readTopics,
  relayIn,
  taken,
  topicsWorld,
  type World,
} from './topicsWorld.ts';

const brokers = inject('kafkaBrokers') ?? '';
/** True where Debian's package `kcat` is installed. */
const hasKcat = spawnSync('kcat', ['-V']).status === 0;

describe.runIf(brokers !== '')('the relay', { timeout: 90_000 }, () => {
  test('every event goes to its topics, in the partition of its key, as docs/topics.md says', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    const history = makeHistory({ seed: 1, orders: 300 });
    const relay = relayIn(world);
    const half = Math.ceil(history.commits.length / 2);
    await appendAll(store, history.commits.slice(0, half));
    await expect.poll(() => relay.position()).toBe(await store.head());
    await appendAll(store, history.commits.slice(half));
    const head = await store.head();
    await expect.poll(() => relay.position()).toBe(head);

    const everywhere = () => readTopics(world);
    const reachedBy = async () => Math.min(...taken(await everywhere(), store.id).reached.values());
    await expect.poll(reachedBy, { interval: 250 }).toBe(head);

    const messages = await everywhere();
    const events = messages.filter((message) => !isWatermark(message));
    expect(placesOf(events)).toEqual(await placesInStore(store));
    expect(isOrdered(messages)).toBe(true);
    expect(new Set(messages.map(partitionOfMessage)).size).toBe(64);

    const codec = eventCodec();
    const recorded = new Map(
      (await store.readAll(0, {}, 100_000)).events.map((each) => [each.position, each]),
    );
    for (const { value, headers, timestampMs } of events) {
      const { event, stream, revision, position, commitId, symbol } =
        recorded.get(Number(headers.position)) ?? {};
      expect(value).toBe(JSON.stringify(event));
      expect(codec.decode(`[${value}]`)).toEqual([event]);
      expect(headers).toEqual({
        id: event?.id,
        type: event?.type,
        position: String(position),
        stream,
        revision: String(revision),
        commit: commitId,
        symbol: symbol ?? '',
        store: store.id,
        epoch: '1',
        traceparent: event?.traceparent,
      });
      expect(timestampMs).toBe(Date.parse(event?.time ?? ''));
    }
    for (const { key, value, headers } of messages.filter(isWatermark)) {
      expect({ key, value, headers }).toEqual({
        key: null,
        value: '',
        headers: {
          type: 'watermark',
          position: expect.stringMatching(/^\d+$/),
          store: store.id,
          epoch: '1',
          ...(headers.last === undefined ? {} : { last: expect.any(String) }),
        },
      });
      // The first ones were sent before any event.
      const [last = '0', commitId] = headers.last?.split(':') ?? [];
      expect(recorded.get(Number(last))?.commitId).toBe(commitId);
      expect(Number(last)).toBeLessThanOrEqual(Number(headers.position));
      expect(commitId === undefined).toBe(headers.position === '0');
    }
    expect(relay.state()).toBe('ok');
  });

  test.runIf(hasKcat)('a stock client reads what docs/topics.md shows', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    await appendAll(store, makeHistory({ seed: 2, orders: 50 }).commits);
    const relay = relayIn(world);
    await expect.poll(() => relay.position()).toBe(await store.head());
    await relay.stop();
    const expected = (await readTopics(world)).filter(({ topic }) => topic === 'brokerx.orders');
    const page = readFileSync(join(import.meta.dirname, '../../docs/topics.md'), 'utf8').replaceAll(
      '\\\n',
      ' ',
    );
    const [, command = ''] = /kcat -b 127\.0\.0\.1:9092 (-C[^|]*)/.exec(page) ?? [];
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      `kcat -b ${brokers} ${command.replace('brokerx.orders', world.nameOf('brokerx.orders')).replace('-o -100', '-o beginning')}`,
    ]);
    const lines = stdout.split('\n').slice(0, -1);
    expect(lines.filter((line) => !line.includes('type=watermark'))).toHaveLength(
      expected.filter((message) => !isWatermark(message)).length,
    );
    const line = ({ partition, key, value, headers, timestampMs }: Message, offset: number) =>
      `${partition}/${offset} ${key ?? ''} ${timestampMs} ${Object.entries(headers)
        .map(([name, text]) => `${name}=${text}`)
        .join(',')} ${value}`;
    const offsets = new Map<number, number>();
    const all = expected.map((message) => {
      const offset = offsets.get(message.partition) ?? 0;
      offsets.set(message.partition, offset + 1);
      return line(message, offset);
    });
    expect(lines.toSorted()).toEqual(all.toSorted());
  });

  test('while nothing happens nothing is sent, and one round of watermarks ends what happened', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    let sends = 0;
    const relay = relayIn(world, {
      through: (kafka) => ({
        ...kafka,
        async producer(over) {
          const producer = await kafka.producer(over);
          return {
            ...producer,
            async send(messages) {
              sends += 1;
              await producer.send(messages);
            },
          };
        },
      }),
    });
    const reached = async () => Math.min(...taken(await readTopics(world), store.id).reached.values());
    const { commits } = makeHistory({ seed: 3, orders: 20 });
    await appendAll(store, commits.slice(0, -1));
    await expect.poll(reached, { interval: 250 }).toBe(await store.head());
    const [sendsBefore, messagesBefore] = [sends, (await readTopics(world)).length];
    await delay(1_000);
    expect([sends, (await readTopics(world)).length]).toEqual([sendsBefore, messagesBefore]);

    await appendAll(store, commits.slice(-1));
    await expect.poll(reached, { interval: 250 }).toBe(await store.head());
    await delay(200);
    // The event with all watermarks, or watermarks in a second request; every partition is told once.
    expect(sends - sendsBefore).toBeLessThanOrEqual(2);
    expect((await readTopics(world)).length - messagesBefore).toBeLessThanOrEqual(66);
    expect(relay.state()).toBe('ok');
  });

  test('an event that is too large is withheld with all later ones of its key, and all other keys go on', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    await world.kafka.prepareTopics(world.layout.topics);
    await limitMessages(world, 16_384);
    const { commits } = makeHistory({ seed: 4, orders: 120 });
    const at = commits.findIndex(({ events }, i) => i > 150 && events[0]?.type === 'OrderPlaced.v1');
    const large = commits[at];
    const first = large?.events[0];
    if (!large || first?.type !== 'OrderPlaced.v1') throw new Error('no order was placed');
    const data = { ...first.data, clientOrderId: 'x'.repeat(20_000) };
    commits[at] = { ...large, events: [{ ...first, data }, ...large.events.slice(1)] };

    const relay = relayIn(world);
    await appendAll(store, commits.slice(0, at + 100));
    await expect.poll(() => relay.position()).toBe(await store.head());
    const keys = [`brokerx.orders/${large.symbol}`, `brokerx.accounts/${first.data.accountId}`].sort();
    const named = keys.map((key) => `${world.prefix}.${key}`);
    await expect
      .poll(() => relay.state())
      .toBe(`an event could not be sent; withheld since: ${named.join(', ')}`);
    await relay.stop();

    // The next relay knows.
    const next = relayIn(world);
    await appendAll(store, commits.slice(at + 100));
    await expect.poll(() => next.position()).toBe(await store.head());
    expect(next.state()).toBe(`an event could not be sent; withheld since: ${named.join(', ')}`);
    const { events } = await store.readAll(0, {}, 100_000).then((page) => page);
    const position = events.find(({ event }) => event.id === first.id)?.position ?? 0;
    const withheld = (place: string) => {
      const [partition = '', key = '', of] = place.split(' ');
      return Number(of) >= position && keys.includes(`${partition.split('/')[0]}/${key}`);
    };
    const expected = (await placesInStore(store)).filter((place) => !withheld(place));
    expect(expected.length).toBeLessThan((await placesInStore(store)).length - 10);
    // From there on all messages of these partitions say so, and no others.
    const touched = [
      `brokerx.orders/${partitionOf(large.symbol ?? '', TOPICS['brokerx.orders'].partitions)}`,
      `brokerx.accounts/${partitionOf(first.data.accountId, TOPICS['brokerx.accounts'].partitions)}`,
    ];
    for (const { headers, ...place } of await readTopics(world)) {
      // What the next relay says first is of where it stands, which may be before.
      if (Number(headers.position) <= position) continue;
      expect(headers.withheld).toBe(touched.includes(partitionKey(place)) ? '1' : undefined);
    }
    expect(placesOf((await readTopics(world)).filter((message) => !isWatermark(message)))).toEqual(expected);
    await expect(next.metrics.scrape()).resolves.toMatchObject({
      text: expect.stringMatching(/brokerx_relay_withheld_keys\{[^}]*\} 2\n/),
    });
  });

  test('leases that began anew are taken until their epoch is above what readers have seen', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    const { commits } = makeHistory({ seed: 5, orders: 30 });
    await appendAll(store, commits.slice(0, 100));
    const rows: MemoryLeases = new Map([['relay', { owner: null, epoch: 41, expiresAtMs: 0 }]]);
    const before = relayIn(world, { rows });
    await expect.poll(() => before.position()).toBe(await store.head());
    await before.stop();
    await appendAll(store, commits.slice(100));
    const after = relayIn(world, { rows: new Map() });
    await expect.poll(() => after.position()).toBe(await store.head());
    const messages = await readTopics(world);
    expect(placesOf(taken(messages, store.id).events)).toEqual(await placesInStore(store));
    expect(Math.max(...messages.map(({ headers }) => Number(headers.epoch)))).toBe(43);
  });

  test('another store begins at its beginning in the same topics, and readers tell them apart', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    await appendAll(store, makeHistory({ seed: 6, orders: 30 }).commits);
    const relay = relayIn(world);
    await expect.poll(() => relay.position()).toBe(await store.head());
    await relay.stop();
    const id = '0f0e0d0c-0b0a-4908-8706-050403020100';
    const other = memoryEventStore<Event>({ id, codec: eventCodec() });
    await appendAll(other, makeHistory({ seed: 66, orders: 40 }).commits);
    const next = relayIn(world, { store: other, snapshots: memorySnapshots({ store: other }) });
    await expect.poll(() => next.position()).toBe(await other.head());
    const messages = await readTopics(world);
    expect(placesOf(taken(messages, store.id).events)).toEqual(await placesInStore(store));
    expect(placesOf(taken(messages, id).events)).toEqual(await placesInStore(other));
  });

  test.for([
    ['ends before the topics do', () => []],
    // In every position there is an event again, but of another commit.
    [
      'has gone on elsewhere since, as far as before',
      (lost: readonly Commit<Event>[]) => lost.map((commit) => ({ ...commit, id: randomUUID() })),
    ],
  ] as const)('a store that was put back and %s: the topics are made anew, whole', async ([, since]) => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    const { commits } = makeHistory({ seed: 8, orders: 30 });
    await appendAll(store, commits);
    const relay = relayIn(world);
    await expect.poll(() => relay.position()).toBe(await store.head());
    await relay.stop();

    const restored = storeInMemory();
    await appendAll(restored, [...commits.slice(0, 50), ...since(commits.slice(50))]);
    const next = relayIn(world, { store: restored });
    await expect.poll(() => next.position()).toBe(await restored.head());
    const layout = topicLayout(world.nameOf, 2);
    const messages = await readTopics({ ...world, layout, nameOf: (topic) => `${world.nameOf(topic)}.2` });
    expect(placesOf(messages.filter((message) => !isWatermark(message)))).toEqual(
      await placesInStore(restored),
    );
    // Whoever still reads the old ones is to notice.
    await expect
      .poll(async () =>
        (await world.kafka.topicNames()).filter((name) => name.startsWith(world.prefix)).sort(),
      )
      .toEqual(layout.topics.map(({ name }) => name).sort());
    await next.stop();

    // The next start finds the new ones as they are.
    const last = relayIn(world, { store: restored });
    await expect.poll(() => last.position()).toBe(await restored.head());
    expect((await world.kafka.topicNames()).filter((name) => name.startsWith(world.prefix))).toHaveLength(3);
  });

  test('of two relays one works and the other stands by, and takes over when the first one is gone', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    const { commits } = makeHistory({ seed: 14, orders: 60 });
    const [one, two] = [relayIn(world, { owner: 'one' }), relayIn(world, { owner: 'two' })];
    await appendAll(store, commits.slice(0, 100));
    const working = () => [one, two].filter((relay) => relay.position() !== undefined);
    await expect.poll(() => working()[0]?.position()).toBe(await store.head());
    expect(working()).toHaveLength(1);
    expect([one.state(), two.state()]).toEqual(['ok', 'ok']);
    await working()[0]?.stop();
    await appendAll(store, commits.slice(100));
    await expect.poll(() => working()[0]?.position()).toBe(await store.head());
    expect(placesOf((await readTopics(world)).filter((message) => !isWatermark(message)))).toEqual(
      await placesInStore(store),
    );
  });
});

async function limitMessages(world: World, bytes: number): Promise<void> {
  const admin = world.kafka.kafkajs.admin();
  await admin.connect();
  const configEntries = [{ name: 'max.message.bytes', value: String(bytes) }];
  await admin.alterConfigs({
    validateOnly: false,
    resources: world.layout.topics.map(({ name }) => ({ type: 2, name, configEntries })),
  });
  await admin.disconnect();
}
