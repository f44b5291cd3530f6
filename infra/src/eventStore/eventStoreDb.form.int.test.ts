import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type EventStoreDbServer, startEventStoreDbServer } from '../../test/eventStoreDbServer.ts';
import { commit, type Noted, notedCodec } from '../../test/noted.ts';
import { aloneOn, ownEvents, type Stage } from '../../test/stage.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { eventStoreDb } from './eventStore.eventstoredb.ts';
import { type Codec, type EventStore, type Filter, NO_STREAM } from './eventStore.ts';

/** What lies in EventStoreDB, what of it is given to whom, and how little is read for it. */
let server: EventStoreDbServer;
let stage: Stage;
let store: EventStore<Noted>;
let plain: EventStoreDBClient;
beforeEach(async () => {
  server = await startEventStoreDbServer();
  stage = await aloneOn(await open());
  store = stage.store;
  plain = EventStoreDBClient.connectionString(server.url);
});
afterEach(async () => {
  await Promise.all([stage.close(), plain.dispose()]);
  await server.stop();
});
const open = (codec: Codec<Noted> = notedCodec) =>
  eventStoreDb({ url: server.url, codec, runtime: realRuntime });

test('an event is one that other tools read: type, JSON, and in the metadata what it belongs to', async () => {
  const decided = commit('account-1', NO_STREAM, ['placed 1', 'filled 1'], { symbol: 'ACME' });
  await store.append([decided]);
  const read = [];
  for await (const { event } of plain.readStream('account-1')) read.push(event);
  const metadata = (index: number) => ({ commit: { id: decided.id, index, events: 2, symbol: 'ACME' } });
  expect(read).toMatchObject([
    { type: 'placed', isJson: true, data: { text: 'placed 1' }, metadata: metadata(0) },
    { type: 'filled', isJson: true, data: { text: 'filled 1' }, metadata: metadata(1) },
  ]);
  // UUIDs of version 8, the same for the same commit: that is how the server knows a repetition.
  for (const { id } of read as { id: string }[]) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
  expect(new Set((read as { id: string }[]).map(({ id }) => id)).size).toBe(2);
});

test('stores opened at once on one server are one store; another server is another', async () => {
  const others = await Promise.all([open(), open(), open()]);
  expect(others.map(({ id }) => id)).toEqual([store.id, store.id, store.id]);
  const elsewhere = await startEventStoreDbServer();
  const foreign = await eventStoreDb({ url: elsewhere.url, codec: notedCodec, runtime: realRuntime });
  expect(foreign.id).not.toBe(store.id);
  await Promise.all([...others, foreign].map((each) => each.close()));
  await elsewhere.stop();
});

test('the server’s own events and the store’s identity are given to nobody', async () => {
  await store.append([commit('account-1', NO_STREAM, ['a'])]);
  const texts = async (filter: Filter) =>
    (await store.readAll(0, filter, 1_000)).events.map(({ event }) => event.text);
  expect(await texts({})).toEqual(['a']);
  expect(await texts({ categories: ['store'] })).toEqual([]);
  expect(await texts({ streams: ['store-identity', '$users'] })).toEqual([]);
  expect(await store.readStream('store-identity', 0, 10)).toEqual([]);
});

test('what somebody else writes is left out, and in a stream of ours it is told of', async () => {
  await store.append([commit('account-1', NO_STREAM, ['a'])]);
  await plain.appendToStream('account-1', jsonEvent({ type: 'Strange', data: { x: 1 } }));
  await plain.appendToStream(
    'other-1',
    jsonEvent({ type: 'Strange', data: { x: 1 }, metadata: { commit: null } }),
  );
  await store.append([commit('account-2', NO_STREAM, ['b'])]);
  expect((await ownEvents(stage)).map(({ event }) => event.text)).toEqual(['a', 'b']);
  await expect(store.readStream('account-1', 0, 10)).rejects.toThrow(
    'revision 1 of account-1 was not written',
  );
});

test('a commit that is too large for one append is refused before anything is sent', async () => {
  const large = commit('account-2', NO_STREAM, ['x'.repeat(600_000), 'ü'.repeat(300_000)]);
  await expect(store.append([commit('account-1', NO_STREAM, ['good']), large])).rejects.toThrow(
    /a commit of 1\d{6} bytes to account-2 is too large.*Cut it into several commits/,
  );
  expect(await ownEvents(stage)).toEqual([]);
});

test('reading begins after an event or just before one; a position elsewhere is refused in words', async () => {
  await store.append([commit('account-1', NO_STREAM, ['a', 'b'])]);
  const [a, b] = await ownEvents(stage);
  const after = async (position = 0) => (await store.readAll(position, {}, 10)).events;
  expect(await after(a?.position)).toEqual([b]);
  expect(await after((b?.position ?? 0) - 1)).toEqual([b]);
  await expect(after((b?.position ?? 0) - 2)).rejects.toThrow(/the event store has no event at position \d+/);
});

test('an event of a type that nobody wants is not decoded', async () => {
  let decoded = 0;
  const counting = await open({
    ...notedCodec,
    whole: (parts) => {
      decoded += 1;
      return notedCodec.whole(parts);
    },
  });
  await store.append([commit('account-1', NO_STREAM, ['placed 1', 'filled 1', 'placed 2', 'fill 1'])]);
  const page = await counting.readAll(stage.from, [{ categories: ['book'] }, { types: ['filled'] }], 10);
  expect(page.events.map(({ event }) => event.text)).toEqual(['filled 1']);
  expect(decoded).toBe(1);
  await counting.close();
});

test('a reader far behind who wants little is given little by the server, and gets all of it', async () => {
  const filler = 'x'.repeat(2_000);
  let revision = NO_STREAM;
  for (let turn = 0; turn < 40; turn++) {
    const noise = Array.from({ length: 100 }, (_, i) => `noise ${turn}.${i} ${filler}`);
    const [verdict] = await store.append([commit('account-1', revision, noise)]);
    if (verdict && 'revision' in verdict) revision = verdict.revision;
    if (turn % 13 === 0)
      await store.append([commit(`book-${turn}`, NO_STREAM, [`traded ${turn}`, 'booked'])]);
  }
  const late = await open();
  const head = await late.head();
  const wanted: [Filter | Filter[], string[]][] = [
    [{ types: ['traded'] }, ['traded 0', 'traded 13', 'traded 26', 'traded 39']],
    [{ categories: ['book'], types: ['traded'] }, ['traded 0', 'traded 13', 'traded 26', 'traded 39']],
    [{ categories: ['market'] }, []],
    [
      [{ streams: ['book-13'] }, { categories: ['market'] }],
      ['traded 13', 'booked'],
    ],
  ];
  for (const [filter, expected] of wanted) {
    for (const size of [100, 500]) {
      const before = server.given();
      const got: string[] = [];
      for (let after = stage.from, atEnd = false; !atEnd; ) {
        const page = await late.readAll(after, filter, size);
        got.push(...page.events.map(({ event }) => event.text));
        expect(page.position > after || page.atEnd).toBe(true);
        ({ position: after, atEnd } = page);
        if (atEnd) expect(after).toBe(head);
      }
      expect(got).toEqual(expected);
      expect(server.given() - before).toBeLessThan(20);
    }
  }
  await late.close();
});
