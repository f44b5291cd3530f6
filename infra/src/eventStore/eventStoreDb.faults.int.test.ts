import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type EventStoreDbServer,
  type Faults,
  startEventStoreDbServer,
} from '../../test/eventStoreDbServer.ts';
import { commit, type Noted, notedCodec } from '../../test/noted.ts';
import { aloneOn, appendSeen, histories, type Stage } from '../../test/stage.ts';
import { collecting, textsOf } from '../feed/feed.contract.ts';
import { storeFeed } from '../feed/feed.store.ts';
import { type Runtime, realRuntime } from '../runtime/runtime.ts';
import { eventStoreDb } from './eventStore.eventstoredb.ts';
import { type Commit, type EventStore, NO_STREAM, type Verdict } from './eventStore.ts';

/**
 * What is known to go wrong between client and server, each in turn, through the real client: an append is never lost
 * or doubled, a reader never misses an event. Time limits run five times as fast: long enough for a busy machine.
 */
const PACE = 5;
const fast: Runtime = {
  ...realRuntime,
  monotonicMs: () => realRuntime.monotonicMs() * PACE,
  setTimer: (ms, callback) => realRuntime.setTimer(ms / PACE, callback),
};

let server: EventStoreDbServer;
let stage: Stage;
let store: EventStore<Noted>;
beforeEach(async () => {
  server = await startEventStoreDbServer();
  stage = await aloneOn(await open());
  store = stage.store;
});
afterEach(async () => {
  await stage.close();
  await server.stop();
});
const open = () => eventStoreDb({ url: server.url, codec: notedCodec, runtime: fast });

/** As the group commit does it: the same call again until it is answered. */
async function appendUntilKnown(commits: readonly Commit<Noted>[], into = store): Promise<Verdict[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await into.append(commits);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'UnknownOutcome' || attempt === 20) throw error;
    }
  }
}

const STREAMS = Array.from({ length: 10 }, (_, i) => `account-${i}`);
/** Chains of four on ten streams. */
const chains = (turn: number) =>
  STREAMS.flatMap((stream) =>
    [0, 1, 2, 3].map((link) =>
      commit(stream, turn * 8 + link * 2 - 1, [`${turn}.${link}a`, `${turn}.${link}b`], {
        chained: link > 0,
      }),
    ),
  );
const written = (turns: number) =>
  Array.from({ length: turns }, (_, turn) =>
    [0, 1, 2, 3].flatMap((link) => [`${turn}.${link}a`, `${turn}.${link}b`]),
  ).flat();

test.for<[string, Partial<Faults>]>([
  ['replies are lost', { lostReplies: 3 }],
  ['the stream of appends breaks', { brokenStreams: 3 }],
  ['the server says that an append took too long, which it did not', { falseTimeouts: 7 }],
  ['the server gives up in time', { timeouts: 7 }],
  ['the server is not ready', { notReady: 7 }],
  ['replies have no position', { absentPositions: 25 }],
  ['calls hang', { hungReads: 2 }],
  [
    'all of it',
    { lostReplies: 1, brokenStreams: 2, falseTimeouts: 2, timeouts: 2, notReady: 2, absentPositions: 5 },
  ],
])('an append is neither lost nor doubled when %s', async ([, faults]) => {
  for (let turn = 0; turn < 3; turn++) {
    Object.assign(server.faults, faults);
    const commits = chains(turn);
    const verdicts = await appendUntilKnown(commits);
    for (const { verdict } of verdicts) expect(verdict).toMatch(/^(ok|duplicate)$/);
    Object.assign(server.faults, Object.fromEntries(Object.keys(faults).map((name) => [name, 0])));
    // Again: each stands, and says where.
    const again = await appendSeen(stage, commits);
    expect(again).toEqual(verdicts.map((verdict) => ({ ...verdict, verdict: 'duplicate' })));
  }
  const stands = Object.fromEntries(STREAMS.map((stream) => [stream, written(3)]));
  expect(await histories(stage, STREAMS)).toEqual(stands);
});

test('a chain whose first link is answered late is not overtaken: a stranger breaks it', async () => {
  await store.append([commit('account-1', NO_STREAM, ['mine'])]);
  server.faults.timeouts = 1;
  const chain = [commit('account-1', 0, ['b']), commit('account-1', 1, ['c'], { chained: true })];
  server.faults.notReady = 1;
  const stranger = commit('account-1', 0, ['stranger']);
  const other = await open();
  const [verdicts] = await Promise.all([appendUntilKnown(chain), appendUntilKnown([stranger], other)]);
  await other.close();
  const told = verdicts.map(({ verdict }) => verdict);
  expect([['ok', 'ok'].join(), ['conflict', 'broken-chain'].join()]).toContain(told.join());
  const { 'account-1': texts } = await histories(stage, ['account-1']);
  expect([['mine', 'b', 'c'].join(), ['mine', 'stranger'].join()]).toContain(texts?.join());
});

test('a server whose clock is ahead takes appends all the same', async () => {
  server.faults.clockAheadMs = 600_000;
  const [verdict] = await store.append([commit('account-1', NO_STREAM, ['a'])]);
  expect(verdict).toMatchObject({ verdict: 'ok', revision: 0 });
});

test('what breaks under one store in a process ends no other, nor the process', async () => {
  const other = await open();
  for (let turn = 0; turn < 10; turn++) {
    server.faults.brokenStreams = 1;
    const own = chains(turn);
    const theirs = [commit('book-A', turn - 1, [`${turn}`])];
    await Promise.all([appendUntilKnown(own), appendUntilKnown(theirs, other)]);
  }
  const closing = other.close();
  await appendUntilKnown(chains(10));
  await closing;
  const texts = await histories(stage, [...STREAMS, 'book-A']);
  expect(texts['account-7']).toEqual(written(11));
  expect(texts['book-A']).toEqual(Array.from({ length: 10 }, (_, turn) => `${turn}`));
});

/** A reader that follows the store, and what it was given. */
function follower() {
  const feed = storeFeed({ store, runtime: fast });
  const consumer = collecting({ after: { storeId: store.id, position: stage.from }, batchEventsMax: 3 });
  return { feed, consumer, subscription: feed.subscribe(consumer) };
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));
const appendNumber = async (i: number): Promise<number> => {
  const [verdict] = await appendUntilKnown([commit('account-1', i - 1, [String(i)])]);
  expect(verdict?.verdict).toMatch(/^(ok|duplicate)$/);
  return verdict && 'position' in verdict ? verdict.position : 0;
};

test.for<[string, (i: number) => Promise<void> | void]>([
  ['falls silent', (i) => (i % 10 === 5 ? server.silenceSubscriptions() : undefined)],
  ['is ended by the server', (i) => (i % 10 === 5 ? server.dropSubscriptions() : undefined)],
  [
    'ends with the server, which comes back',
    async (i) => {
      if (i % 10 !== 5) return;
      await server.stop();
      await server.start();
    },
  ],
  [
    'is fine, and reads hang now and then',
    (i) => {
      if (i % 10 === 5) server.faults.hungReads = 1;
    },
  ],
])('a reader misses nothing when its subscription %s', async ([, befall]) => {
  const { feed, consumer, subscription } = follower();
  let last = 0;
  for (let i = 0; i < 30; i++) {
    last = await appendNumber(i);
    await befall(i);
  }
  await subscription.reached(last, 20_000 * PACE);
  expect(textsOf(consumer)).toEqual(numbers(30));
  await feed.close();
});

test('a subscription that fell silent is replaced, and the next append wakes its reader at once', async () => {
  const { feed, consumer, subscription } = follower();
  await subscription.reached(await appendNumber(0), 10_000 * PACE);
  await expect.poll(server.subscriptions).toBe(1);
  server.silenceSubscriptions();
  const other = await open();
  await other.append([commit('account-1', 0, ['1'])]);
  await expect.poll(() => consumer.events.length).toBe(2);
  // The silent one is given up, and another one brings what comes next.
  await other.append([commit('account-1', 1, ['2'])]);
  await expect.poll(() => consumer.events.length).toBe(3);
  await expect.poll(server.subscriptions).toBe(1);
  await other.close();
  expect(textsOf(consumer)).toEqual(numbers(3));
  await feed.close();
});

test('a server that is away for longer than calls are repeated is said to be, and works when it is back', async () => {
  await appendNumber(0);
  await server.stop();
  await expect(store.append([commit('account-1', 0, ['1'])])).rejects.toThrow();
  await expect(store.head()).rejects.toThrow(/connect|UNAVAILABLE|Unavailable|No connection/i);
  await server.start();
  await appendNumber(1);
  expect(await histories(stage, ['account-1'])).toEqual({ 'account-1': ['0', '1'] });
});
