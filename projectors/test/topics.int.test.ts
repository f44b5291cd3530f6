import { eventCodec } from '@brokerx/contracts';
import { describe, expect, inject, test } from 'vitest';
import { makeHistory } from './history.ts';
import { appendAll, storeInMemory } from './readModelsOf.ts';
import {
  isOrdered,
  isWatermark,
  partitionOfMessage,
  placesInStore,
  placesOf,
  readTopics,
  relayIn,
  taken,
  topicsWorld,
} from './topicsWorld.ts';

const brokers = inject('kafkaBrokers') ?? '';

describe.runIf(brokers !== '')('the relay', () => {
  test('every event goes to its topics, in the partition of its key, as docs/topics.md says', async () => {
    const store = storeInMemory();
    const world = topicsWorld({ store, brokers });
    const history = makeHistory({ seed: 1, orders: 300 });
    const relay = relayIn(world);
    const half = Math.ceil(history.commits.length / 2);
    await appendAll(store, history.commits.slice(0, half));
    await expect.poll(() => relay.position(), { timeout: 20_000 }).toBe(await store.head());
    await appendAll(store, history.commits.slice(half));
    const head = await store.head();
    await expect.poll(() => relay.position(), { timeout: 20_000 }).toBe(head);

    const everywhere = () => readTopics(world);
    const reachedBy = async () => Math.min(...taken(await everywhere(), store.id).reached.values());
    await expect.poll(reachedBy, { timeout: 5_000 }).toBe(head);

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
        headers: { type: 'watermark', position: expect.stringMatching(/^\d+$/), store: store.id, epoch: '1' },
      });
    }
    expect(relay.state()).toBe('ok');
  });
});
