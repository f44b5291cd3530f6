import { randomUUID } from 'node:crypto';
import { type ClientFact, clientStream, type Event, eventCodec, seal, timeOf } from '@brokerx/contracts';
import { memoryEventStore, memoryLeases, memorySnapshots, type SnapshotsInMemory } from '@brokerx/infra';
import { expect, onTestFinished, test } from 'vitest';
import { virtualTime } from '../../test/virtualTime.ts';
import { quiet, testCause } from '../../test/world.ts';
import { type DelayedWork, startDelayedWalk } from './delayedWalk.ts';
import { evenPace } from './evenPace.ts';

const START_MS = Date.parse('2026-01-05T12:00:00.000Z');
const DELAY_MS = 30_000;
const MINUTE = 60_000;
const ended: ClientFact = { type: 'SessionsEnded.v1', data: { until: timeOf(START_MS) } };
const signedOut: ClientFact = {
  type: 'SignedOut.v1',
  data: { sessionId: randomUUID(), expiresAt: timeOf(START_MS) },
};

/** A store, its snapshots, and walks over it. `SessionsEnded` asks for work, and a `SignedOut` after it calls it off. */
function given() {
  const time = virtualTime(START_MS);
  const { runtime } = time;
  const memory = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const pages: number[] = [];
  const store: typeof memory = {
    ...memory,
    async readAll(after, filter, eventsMax) {
      const page = await memory.readAll(after, filter, eventsMax);
      pages.push(page.events.length);
      return page;
    },
  };
  const kinds: SnapshotsInMemory = new Map();
  const record = async (...facts: ClientFact[]) => {
    const [id, client] = [randomUUID(), randomUUID()];
    const events = seal(id, testCause(timeOf(runtime.nowMs())), facts) as Event[];
    const stream = clientStream(client);
    await store.append([{ id, stream, expectedRevision: -1, chained: false, symbol: null, events }]);
    return stream;
  };
  const start = (work: DelayedWork['work']) => {
    const list: DelayedWork = {
      name: 'ends',
      version: 1,
      category: 'client',
      opens: 'SessionsEnded.v1',
      closes: 'SignedOut.v1',
      delayMs: DELAY_MS,
      work,
    };
    const leases = memoryLeases({ rows: new Map(), owner: 'one', runtime });
    const snapshots = memorySnapshots({ store, kinds });
    const walk = startDelayedWalk(list, { store, snapshots, leases, runtime, log: quiet });
    const stop = async () => {
      const closed = walk.close();
      await time.advance(MINUTE);
      await closed;
    };
    onTestFinished(stop);
    return { stop };
  };
  return { time, store, kinds, pages, record, start };
}

test('a flood waits in the store: a page of it is in memory, a few are worked on at a time, each once, when it is due', async () => {
  const { time, pages, record, start } = given();
  const streams: string[] = [];
  for (let i = 0; i < 1_300; i++) streams.push(await record(ended));
  const worked: string[] = [];
  let [busy, busyMax] = [0, 0];
  start(async ({ stream }) => {
    busy += 1;
    busyMax = Math.max(busyMax, busy);
    await new Promise(setImmediate);
    busy -= 1;
    worked.push(stream);
    return 'done';
  });
  await time.advance(DELAY_MS - 1);
  expect(worked).toEqual([]);
  await time.advance(5 * MINUTE);
  expect(worked.toSorted()).toEqual(streams.toSorted());
  expect([busyMax, Math.max(...pages)]).toEqual([8, 500]);
  const late = await record(ended);
  await time.advance(MINUTE);
  expect(worked.slice(1_300)).toEqual([late]);
});

test('a process that takes over goes on after the last page that was done; without its snapshot everything is walked again', async () => {
  const { time, kinds, record, start } = given();
  const worked: string[] = [];
  const work = async ({ stream }: { stream: string }) => {
    worked.push(stream);
    return 'done' as const;
  };
  const first = await record(ended);
  const one = start(work);
  await time.advance(MINUTE);
  const second = await record(ended);
  await time.advance(1_000);
  await one.stop();
  expect(worked).toEqual([first]);
  const two = start(work);
  await time.advance(MINUTE);
  await two.stop();
  expect(worked).toEqual([first, second]);
  kinds.clear();
  start(work);
  await time.advance(MINUTE);
  expect(worked).toEqual([first, second, first, second]);
});

test('what was called off soon is not looked at; what is not due after all is looked at again then', async () => {
  const { time, record, start } = given();
  await record(ended, signedOut);
  const stream = await record(ended);
  const looked: [string, number][] = [];
  start(async (recorded) => {
    looked.push([recorded.stream, time.runtime.nowMs() - START_MS]);
    return looked.length === 1 ? { againInMs: 5_000 } : 'done';
  });
  await time.advance(5 * MINUTE);
  expect(looked).toEqual([
    [stream, DELAY_MS],
    [stream, DELAY_MS + 5_000],
  ]);
});

test('what fails is tried again; what never works is left out at last, and holds up nobody for ever', async () => {
  const { time, record, start } = given();
  const [poison, passing] = [await record(ended), await record(ended)];
  const tries = new Map<string, number>();
  start(async ({ stream }) => {
    const count = (tries.get(stream) ?? 0) + 1;
    tries.set(stream, count);
    if (stream === poison || (stream === passing && count < 4)) throw new Error('not now');
    return 'done';
  });
  await time.advance(20 * MINUTE);
  const next = await record(ended);
  await time.advance(5 * MINUTE);
  expect([...tries]).toEqual([
    [poison, 20],
    [passing, 4],
    [next, 1],
  ]);
});

test('while a server is away, what is due is tried until it answers', async () => {
  const { time, record, start } = given();
  await record(ended);
  let isAway = true;
  let done = 0;
  start(async () => {
    if (isAway) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
    done += 1;
    return 'done';
  });
  await time.advance(60 * MINUTE);
  isAway = false;
  await time.advance(MINUTE);
  expect(done).toBe(1);
});

test('a snapshot from beyond the end, of a store that was put back since, is not gone by', async () => {
  const { time, store, kinds, record, start } = given();
  const key = { kind: 'walk', key: 'ends', version: 1 };
  const cursor = { storeId: store.id, position: 1_000 };
  const snapshot = { cursor, revision: -1, state: 'null' };
  await memorySnapshots({ store, kinds }).save(key, snapshot);
  const stream = await record(ended);
  const worked: string[] = [];
  start(async (recorded) => {
    worked.push(recorded.stream);
    return 'done';
  });
  await time.advance(MINUTE);
  expect(worked).toEqual([stream]);
});

test('turns come evenly, in order, however many ask at once', async () => {
  const { runtime, advance } = virtualTime();
  const turn = evenPace(runtime, 10);
  const turns: [number, number][] = [];
  for (let i = 0; i < 30; i++) {
    void turn(new AbortController().signal).then(() => turns.push([i, runtime.monotonicMs()]));
  }
  await advance(10_000);
  expect(turns).toEqual(Array.from({ length: 30 }, (_, i) => [i, i * 100]));
});
