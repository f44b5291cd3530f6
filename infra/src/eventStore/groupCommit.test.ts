import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { broken, commit, conflict, duplicate, type Noted, notedCodec, ok, texts } from '../../test/noted.ts';
import { type Runtime, realRuntime } from '../runtime/runtime.ts';
import { memoryEventStore } from './eventStore.memory.ts';
import { type Commit, type EventStore, NO_STREAM, UnknownOutcome, type Verdict } from './eventStore.ts';
import { APPEND_TEXT_MAX, AppenderClosed, AppendQueueFull, groupCommit } from './groupCommit.ts';

test('what arrives while a call is in flight goes out together in the next one', async () => {
  const { store, calls, release } = heldStore();
  const appender = groupCommit(store);
  const first = appender.append(commit('account-1', NO_STREAM, ['a']));
  await calls.next(1);
  const others = [2, 3, 4].map((n) => appender.append(commit(`account-${n}`, NO_STREAM, ['b'])));
  release();
  expect(await first).toEqual(ok(0, 1));
  await calls.next(2);
  release();
  expect(await Promise.all(others)).toEqual([ok(0, 2), ok(0, 3), ok(0, 4)]);
  expect(calls.sizes).toEqual([1, 3]);
});

test('what is submitted in one go travels in one call', async () => {
  const { store, calls, release } = heldStore();
  const appender = groupCommit(store);
  const both = [1, 2].map((n) => appender.append(commit(`account-${n}`, NO_STREAM, ['a'])));
  await calls.next(1);
  release();
  await Promise.all(both);
  expect(calls.sizes).toEqual([2]);
});

test('a call holds no more than its share of commits and of text', async () => {
  const { store, calls, release } = heldStore();
  const appender = groupCommit(store);
  const long = (stream: string, length: number) => commit(stream, NO_STREAM, ['x'.repeat(length)]);
  const appends = [
    ...Array.from({ length: 501 }, (_, n) => long(`account-${n}`, 1)),
    ...Array.from({ length: 5 }, (_, n) => long(`book-${n}`, APPEND_TEXT_MAX / 4 - 100)),
    long('book-5', APPEND_TEXT_MAX * 2),
  ].map((each) => appender.append(each));
  for (let call = 1; call <= 4; call++) {
    await calls.next(call);
    release();
  }
  await Promise.all(appends);
  expect(calls.sizes).toEqual([500, 5, 1, 1]);
});

test('a chain across calls goes on where the earlier call succeeded', async () => {
  const { store, calls, release } = heldStore();
  const appender = groupCommit(store);
  const first = appender.append(commit('account-1', NO_STREAM, ['a']));
  await calls.next(1);
  const second = appender.append(commit('account-1', 0, ['b'], { chained: true }));
  const third = appender.append(commit('account-1', 1, ['c'], { chained: true }));
  release();
  await calls.next(2);
  release();
  expect(await Promise.all([first, second, third])).toEqual([ok(0, 1), ok(1, 2), ok(2, 3)]);
  expect(calls.commits.map(({ chained }) => chained)).toEqual([false, false, true]);
});

test('a chain across calls breaks where the earlier call failed, until the stream is decided anew', async () => {
  const { store, inner, calls, release } = heldStore();
  await inner.append([commit('account-1', NO_STREAM, ['stranger'])]);
  const appender = groupCommit(store);
  const first = appender.append(commit('account-1', NO_STREAM, ['a']));
  await calls.next(1);
  const behind = [
    // A stranger's event would satisfy it.
    commit('account-1', 0, ['b'], { chained: true }),
    commit('account-1', 1, ['c'], { chained: true }),
    commit('account-2', NO_STREAM, ['other']),
    commit('account-1', 0, ['anew']),
    commit('account-1', 1, ['upon it'], { chained: true }),
  ].map((each) => appender.append(each));
  release();
  expect(await first).toEqual(conflict(0));
  await calls.next(2);
  release();
  expect(await Promise.all(behind)).toEqual([broken, broken, ok(0, 2), ok(1, 3), ok(2, 4)]);
  expect(calls.sizes).toEqual([1, 3]);
  expect(await texts(inner)).toEqual(['stranger', 'other', 'anew', 'upon it']);
});

test('a chained commit that comes after the failure was told is broken, too', async () => {
  const { inner } = heldStore();
  await inner.append([commit('account-1', NO_STREAM, ['stranger'])]);
  const appender = groupCommit(inner);
  expect(await appender.append(commit('account-1', NO_STREAM, ['a']))).toEqual(conflict(0));
  expect(await appender.append(commit('account-1', 0, ['b'], { chained: true }))).toEqual(broken);
  expect(await appender.append(commit('account-1', 0, ['c']))).toEqual(ok(1, 2));
  expect(await appender.append(commit('account-1', 1, ['d'], { chained: true }))).toEqual(ok(2, 3));
});

test.for([
  ['before the append', false],
  ['after the append', true],
] as const)('a reply lost %s costs time only: the very same call is repeated', async ([, appended]) => {
  const { inner } = heldStore();
  let losses = 3;
  const calls: (readonly Commit<Noted>[])[] = [];
  const losing: EventStore<Noted> = {
    ...inner,
    append: async (commits) => {
      calls.push(commits);
      const lost = losses-- > 0;
      if (lost && !appended) throw new UnknownOutcome('lost');
      const verdicts = await inner.append(commits);
      if (lost) throw new UnknownOutcome('lost');
      return verdicts;
    },
  };
  const appender = groupCommit(losing, { runtime: hurried });
  const verdicts = await Promise.all([
    appender.append(commit('account-1', NO_STREAM, ['a'])),
    appender.append(commit('account-1', 0, ['b'], { chained: true })),
    appender.append(commit('account-2', 3, ['never'])),
  ]);
  const verdict = appended ? duplicate : ok;
  expect(verdicts).toEqual([verdict(0, 1), verdict(1, 2), conflict(NO_STREAM)]);
  expect(calls).toHaveLength(4);
  expect(new Set(calls).size).toBe(1);
  expect(await texts(inner)).toEqual(['a', 'b']);
  // Its predecessor stands, whatever the verdict said.
  expect(await appender.append(commit('account-1', 1, ['c'], { chained: true }))).toEqual(ok(2, 3));
});

test('an error that is no lost reply goes to those in the call, and their chains break', async () => {
  const { inner } = heldStore();
  let failing = true;
  const appender = groupCommit({
    ...inner,
    append: async (commits) => {
      if (failing) throw new Error('disk full');
      return inner.append(commits);
    },
  });
  await expect(appender.append(commit('account-1', NO_STREAM, ['a']))).rejects.toThrow('disk full');
  failing = false;
  expect(await appender.append(commit('account-1', 0, ['b'], { chained: true }))).toEqual(broken);
  expect(await appender.append(commit('account-1', NO_STREAM, ['c']))).toEqual(ok(0, 1));
});

test('the queue is bounded, and what was refused breaks the chain that would follow it', async () => {
  const { store, calls, release } = heldStore();
  const appender = groupCommit(store, { queueCommitsMax: 2 });
  const first = appender.append(commit('account-1', NO_STREAM, ['a']));
  await calls.next(1);
  const queued = [2, 3].map((n) => appender.append(commit(`account-${n}`, NO_STREAM, ['b'])));
  await expect(appender.append(commit('account-1', 0, ['c'], { chained: true }))).rejects.toThrow(
    AppendQueueFull,
  );
  release();
  await first;
  await calls.next(2);
  const after = appender.append(commit('account-1', 0, ['d'], { chained: true }));
  release();
  expect(await after).toEqual(broken);
  expect(await Promise.all(queued)).toEqual([ok(0, 2), ok(0, 3)]);
});

test('closing appends what is queued', async () => {
  const { inner } = heldStore();
  const appender = groupCommit(inner);
  const both = [1, 2].map((n) => appender.append(commit(`account-${n}`, NO_STREAM, ['a'])));
  await appender.close();
  expect(await Promise.all(both)).toEqual([ok(0, 1), ok(0, 2)]);
  await expect(appender.append(commit('account-3', NO_STREAM, ['a']))).rejects.toThrow(AppenderClosed);
});

test('closing while the store does not answer says so to those in flight', async () => {
  const { inner } = heldStore();
  const appender = groupCommit({ ...inner, append: () => Promise.reject(new UnknownOutcome('lost')) });
  const inFlight = appender.append(commit('account-1', NO_STREAM, ['a']));
  await new Promise(setImmediate);
  const queued = appender.append(commit('account-2', NO_STREAM, ['a']));
  const outcomes = Promise.allSettled([inFlight, queued]);
  await appender.close();
  expect((await outcomes).map((outcome) => outcome.status === 'rejected' && outcome.reason.name)).toEqual([
    'UnknownOutcome',
    'AppenderClosed',
  ]);
});

/** Time runs a hundred times as fast. */
const hurried: Runtime = { ...realRuntime, setTimer: (ms, done) => realRuntime.setTimer(ms / 100, done) };

/** A store whose calls wait to be released, one at a time. */
function heldStore() {
  const inner = memoryEventStore({ id: randomUUID(), codec: notedCodec });
  const commits: Commit<Noted>[] = [];
  const sizes: number[] = [];
  const gates: (() => void)[] = [];
  const store: EventStore<Noted> = {
    ...inner,
    append: async (call): Promise<Verdict[]> => {
      commits.push(...call);
      sizes.push(call.length);
      await new Promise<void>((resolve) => gates.push(resolve));
      return inner.append(call);
    },
  };
  return {
    store,
    inner,
    calls: { commits, sizes, next: (n: number) => expect.poll(() => sizes.length, { interval: 1 }).toBe(n) },
    release: () => gates.shift()?.(),
  };
}
