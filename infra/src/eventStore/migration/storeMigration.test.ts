import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { storedEventCodec } from '../../../test/storedEventCodec.ts';
import { contentOf, fillWithNotes, note } from '../../../test/storedNotes.ts';
import { realRuntime } from '../../runtime/runtime.ts';
import { memoryEventStore } from '../eventStore.memory.ts';
import { type EventStore, NO_STREAM, UnknownOutcome } from '../eventStore.ts';
import type { StoredEvent } from './storeDigest.ts';
import { migrateStore, type Progress } from './storeMigration.ts';

type Store = EventStore<StoredEvent>;
const open = (): Store => memoryEventStore({ id: randomUUID(), codec: storedEventCodec });

/** More than one page and several calls; commits lie across the ends of pages. */
const COMMITS = 1_300;
const EVENTS = COMMITS * 4;

function migrate(from: Store, to: Store, steps: Progress[] = [], signal = new AbortController().signal) {
  // Waits pass at once.
  const runtime = {
    ...realRuntime,
    setTimer: (_ms: number, callback: () => void) => realRuntime.setTimer(0, callback),
  };
  return migrateStore({ from, to, runtime, signal, onProgress: (progress) => steps.push(progress) });
}

const bareNote = (stream: string, expectedRevision: number) => ({
  id: randomUUID(),
  stream,
  expectedRevision,
  chained: false,
  symbol: null,
  events: [note('strange')],
});

test('a copy holds the same commits at the same places, under an id of its own', async () => {
  const [from, to] = [open(), open()];
  const commits = await fillWithNotes(from, COMMITS);
  const steps: Progress[] = [];
  const streams = new Set(commits.map(({ stream }) => stream)).size;
  expect(await migrate(from, to, steps)).toEqual({
    events: EVENTS,
    commits: COMMITS,
    eventsBefore: 0,
    streams,
  });
  expect(await contentOf(to)).toEqual(await contentOf(from));
  // Whoever repeats what he appended to the source is told so by the copy.
  const verdicts = await to.append(commits.slice(0, 100));
  expect(verdicts.every(({ verdict }) => verdict === 'duplicate')).toBe(true);
  expect(to.id).not.toBe(from.id);
  expect(new Set(steps.map(({ step }) => step))).toEqual(
    new Set(['looking at the target', 'copying', 'verifying']),
  );
  for (const { share } of steps) expect(share).toBeLessThanOrEqual(1);
  expect(steps.at(-1)).toMatchObject({ step: 'verifying', share: 1 });
});

test('interrupted anywhere, a copy goes on where it was', async () => {
  const from = open();
  await fillWithNotes(from, COMMITS);
  const content = await contentOf(from);
  for (let calls = 0; calls < 3; calls++) {
    const to = open();
    let appended = 0;
    const dying: Store = {
      ...to,
      async append(commits) {
        // A call that is cut off may leave its beginning.
        if (appended++ < calls) return to.append(commits);
        await to.append(commits.slice(0, 37));
        throw new Error('killed');
      },
    };
    await expect(migrate(from, dying)).rejects.toThrow('killed');
    const before = (await contentOf(to)).length;
    expect(before).toBeGreaterThan(0);
    const rest = content.length - before;
    expect(await migrate(from, to)).toMatchObject({ events: rest, eventsBefore: before });
    expect(await contentOf(to)).toHaveLength(content.length);
    expect(await migrate(from, to)).toMatchObject({ events: 0, eventsBefore: content.length });
  }
});

test('a call without an answer is repeated', async () => {
  const [from, to] = [open(), open()];
  await fillWithNotes(from, 20);
  let calls = 0;
  const forgetful: Store = {
    ...to,
    async append(commits) {
      const verdicts = await to.append(commits);
      if (calls++ === 0) throw new UnknownOutcome('lost');
      return verdicts;
    },
  };
  await migrate(from, forgetful);
  expect(await contentOf(to)).toEqual(await contentOf(from));
});

test('what was appended to the source after an earlier copy is copied too', async () => {
  const [from, to] = [open(), open()];
  await fillWithNotes(from, 100);
  await migrate(from, to);
  await from.append([bareNote('client-1', NO_STREAM)]);
  expect(await migrate(from, to)).toMatchObject({ events: 1, commits: 1 });
  expect(await contentOf(to)).toEqual(await contentOf(from));
});

test.for<[string, (from: Store, to: Store) => Promise<unknown>]>([
  ['a stream that the source has not', (_from, to) => to.append([bareNote('client-9', NO_STREAM)])],
  ['other events in the same stream', (_from, to) => to.append([bareNote('account-0', NO_STREAM)])],
  [
    'more events than the source',
    async (from, to) => {
      await migrate(from, to);
      await to.append([bareNote('account-0', await to.streamRevision('account-0'))]);
    },
  ],
])('a target that holds %s is refused, and stays as it is', async ([, fill]) => {
  const [from, to] = [open(), open()];
  await fillWithNotes(from, 50);
  await fill(from, to);
  const before = await contentOf(to);
  await expect(migrate(from, to)).rejects.toThrow(/holds something else .*nothing was written/);
  expect(await contentOf(to)).toEqual(before);
});

test('a store is not copied into itself', async () => {
  const from = open();
  await expect(migrate(from, from)).rejects.toThrow(/both addresses lead to the same event store/);
});

test('somebody who writes to the target meanwhile is noticed', async () => {
  const [from, to] = [open(), open()];
  await fillWithNotes(from, 50);
  const contended: Store = {
    ...to,
    async append(commits) {
      await to.append([bareNote('account-0', NO_STREAM)]);
      return to.append(commits);
    },
  };
  await expect(migrate(from, contended)).rejects.toThrow(/somebody else writes to the target, in account-0/);
});

test('a copy is in the form in which the target keeps its commits', async () => {
  const form = { pack: (id: string, events: readonly StoredEvent[]) => JSON.stringify([id, events]) };
  const unpack = (text: string) => (JSON.parse(text) as [string, StoredEvent[]])[1];
  const packing = { ...storedEventCodec, ...form, unpack };
  const [from, to] = [open(), memoryEventStore({ id: randomUUID(), codec: packing })];
  await fillWithNotes(from, 50);
  await migrate(from, to);
  expect(await contentOf(to)).toEqual(await contentOf(from));
});

test('a copy that is not the same is found by looking at every event', async () => {
  const [from, to] = [open(), open()];
  await fillWithNotes(from, 50);
  const careless: Store = {
    ...to,
    append: (commits) =>
      to.append(
        commits.map((commit, i) => {
          const { text: _text, ...rest } = commit;
          return i === 30 ? { ...rest, symbol: 'WRONG' } : rest;
        }),
      ),
  };
  await expect(migrate(from, careless)).rejects.toThrow(/the copy differs from the source, in \w+-\d+/);
});

test('a copy in another order is no copy: books are what they are by the order of their orders', async () => {
  const [from, to] = [open(), open()];
  await fillWithNotes(from, 50);
  const hasty: Store = {
    ...to,
    append: (commits) => to.append(commits.toSorted((a, b) => a.stream.localeCompare(b.stream))),
  };
  await expect(migrate(from, hasty)).rejects.toThrow(/holds everything, but in another order/);
});

test('an interruption ends it between two pages', async () => {
  const [from, to] = [open(), open()];
  await fillWithNotes(from, 50);
  await expect(migrate(from, to, [], AbortSignal.abort())).rejects.toThrow(/abort/i);
  expect(await contentOf(to)).toEqual([]);
});
