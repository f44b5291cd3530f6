import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { commit as commitTo, type Noted } from '../../test/noted.ts';
import { appendSeen, isOwn, named, ownEvents, type Stage } from '../../test/stage.ts';
import {
  type Commit,
  type EventStore,
  type Filter,
  filtersOf,
  matcher,
  NO_STREAM,
  type Recorded,
} from './eventStore.ts';

/** What was appended is there, at its place, for whoever asks for it. */
export function readContract(given: () => Stage, { keepsText }: { keepsText: boolean }): void {
  let stage: Stage;
  let store: EventStore<Noted>;
  beforeEach(() => {
    stage = given();
    store = stage.store;
  });
  const append = (...commits: Commit<Noted>[]) => appendSeen(stage, commits);
  const commit: typeof commitTo = (stream, ...rest) => commitTo(named(stage, stream), ...rest);
  const texts = async () => (await ownEvents(stage)).map(({ event }) => event.text);
  /** Pages of this size from the position to the last of this test's events; those of them. */
  const paged = async (from: number, filter: Filter | readonly Filter[], size: number, last: number) => {
    const head = stage.tag === null ? await store.head() : last;
    const got: Recorded<Noted>[] = [];
    for (let after = from; after < head; ) {
      const page = await store.readAll(after, filter, size);
      expect(page.events.length).toBeLessThanOrEqual(size);
      expect(page.position).toBeGreaterThanOrEqual(page.events.at(-1)?.position ?? after);
      expect(page.position > after || page.atEnd).toBe(true);
      if (stage.tag === null) expect(page.atEnd).toBe(page.position === head);
      got.push(...page.events.filter((event) => isOwn(stage, event)));
      after = page.position;
    }
    return got;
  };

  test('where nothing was appended yet there is nothing to read', async () => {
    const page = await store.readAll(stage.from, {}, 10);
    expect(page.events.filter((event) => isOwn(stage, event))).toEqual([]);
    if (stage.tag === null) expect(page).toEqual({ events: [], position: stage.from, atEnd: true });
    expect(await store.readStream(named(stage, 'account-1'), 0, 10)).toEqual([]);
    expect(await store.streamRevision(named(stage, 'account-1'))).toBe(NO_STREAM);
    expect(await append()).toEqual([]);
    expect(store.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('what was appended is read as it was, at its place', async () => {
    const opened = commit('account-1', NO_STREAM, ['a', 'b']);
    const placed = commit('account-1', 1, ['c'], { symbol: 'ACME' });
    const [first] = await append(opened);
    const [second] = await append(placed);
    const recorded = (text: string, revision: number, { id, symbol, stream }: Commit<Noted>) => ({
      event: { text },
      stream,
      revision,
      position: expect.any(Number),
      commitId: id,
      symbol,
    });
    const all = await ownEvents(stage);
    expect(all).toEqual([recorded('a', 0, opened), recorded('b', 1, opened), recorded('c', 2, placed)]);
    expect(first).toEqual({ verdict: 'ok', revision: 1, position: all[1]?.position });
    expect(second).toEqual({ verdict: 'ok', revision: 2, position: all[2]?.position });
    expect(await store.readStream(named(stage, 'account-1'), 0, 10)).toEqual(all);
    expect(await store.streamRevision(named(stage, 'account-1'))).toBe(2);
    expect(await store.head()).toBeGreaterThanOrEqual(all[2]?.position ?? 0);
    if (stage.tag === null) expect(await store.head()).toBe(all[2]?.position);
  });

  test('a landmark is the last event up to a position, by the commit that it is of', async () => {
    const opened = commit('account-1', NO_STREAM, ['a', 'b', 'c']);
    await append(opened, commit('book-ACME', NO_STREAM, ['d']));
    await append(commit('account-1', 2, ['e', 'f']));
    const all = await ownEvents(stage);
    for (const { position, commitId } of all) {
      expect(await store.landmark(position)).toEqual({ position, commitId });
    }
    if (stage.tag !== null) return;
    expect(await store.landmark(0)).toBeNull();
    // Just below an event is the event before it; below the first there is none.
    const below = [null, ...all].slice(0, -1);
    for (const [i, { position }] of all.entries()) {
      expect((await store.landmark(position - 1))?.commitId).toBe(below[i]?.commitId);
    }
    expect(await store.landmark((all.at(-1)?.position ?? 0) + 1)).toBeNull();
  });

  test('text comes back as it went in', async () => {
    const strange = [
      '"quoted" \\ {braces}, null',
      'line\nfeed\ttab\r\u0000\u001e\u001f',
      'Zürich 東京 🚀 \ud800',
      'NULL',
      '',
    ];
    await append(
      commit('account-1', NO_STREAM, strange),
      commit('account-2', NO_STREAM, ['x'.repeat(300_000)]),
    );
    expect((await texts()).sort()).toEqual([...strange, 'x'.repeat(300_000)].sort());
    const [stream, large] = [named(stage, 'account-1'), named(stage, 'account-2')];
    expect((await store.readStream(stream, 0, 10)).map(({ event }) => event.text)).toEqual(strange);
    expect((await store.readStream(large, 0, 10)).map(({ event }) => event.text.length)).toEqual([300_000]);
  });

  test('what is stored cannot be changed through a reference', async () => {
    const event = { text: 'as it was' };
    await append({ ...commit('account-1', NO_STREAM, []), events: [event] });
    event.text = 'changed';
    for (const read of await store.readStream(named(stage, 'account-1'), 0, 1)) read.event.text = 'changed';
    expect(await texts()).toEqual(['as it was']);
  });

  test('pages of any size, starting anywhere, give the same events', async () => {
    await append(
      commit('account-1', NO_STREAM, ['a', 'b', 'c']),
      commit('book-ACME', NO_STREAM, ['d']),
      commit('account-1', 2, ['e', 'f', 'g', 'h', 'i']),
      commit('book-ACME', 0, ['j', 'k']),
    );
    const all = await ownEvents(stage);
    expect(all).toHaveLength(11);
    const starts = [stage.from, ...all.map(({ position }) => position)];
    for (const [before, after] of starts.entries()) {
      for (let size = 1; size <= 12; size += stage.tag === null ? 1 : 5) {
        expect(await paged(after, {}, size, all.at(-1)?.position ?? 0)).toEqual(all.slice(before));
        if (stage.tag !== null) continue;
        expect(await store.readAll(after, {}, size)).toEqual({
          events: all.slice(before, before + size),
          position: starts[Math.min(11, before + size)],
          atEnd: before + size >= 11,
        });
      }
    }
    const own = named(stage, 'account-1');
    const stream = all.filter((event) => event.stream === own);
    expect(stream.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    for (let from = 0; from <= 8; from++) {
      for (let size = 1; size <= 9; size++) {
        expect(await store.readStream(own, from, size)).toEqual(stream.slice(from, from + size));
      }
    }
  });

  test('a cursor beyond the end stays where it is', async () => {
    await append(commit('account-1', NO_STREAM, ['a']));
    const beyond = (await store.head()) + FAR_BEYOND;
    expect(await store.readAll(beyond, {}, 10)).toEqual({ events: [], position: beyond, atEnd: true });
  });

  test.for<Filter | Filter[]>([
    {},
    { categories: ['account'] },
    { categories: ['book', 'market'] },
    { categories: [] },
    { streams: ['book-B', 'account-3'] },
    { streams: ['account-none'] },
    { symbols: 'any' },
    { symbols: ['B'] },
    { symbols: ['A', 'C', 'none'] },
    { categories: ['account'], symbols: ['A', 'B'] },
    { categories: ['market'], symbols: 'any' },
    { categories: ['account'], streams: ['account-1', 'book-A'] },
    { types: ['filled'] },
    { types: ['fill', 'placed'] },
    { types: [] },
    { categories: ['account'], types: ['placed', 'filled'] },
    { streams: ['book-A'], symbols: ['A'], types: ['filled'] },
    { symbols: 'any', types: ['filled'] },
    [],
    [{ categories: ['market'] }, {}],
    [{ categories: ['market'] }, { categories: ['account'], types: ['placed'] }],
    [{ types: ['fill'] }, { symbols: ['C'] }, { streams: ['book-B'], types: ['filled'] }],
  ])('a filtered reader gets what matches and is moved through the rest: %j', async (filter) => {
    await fill(stage);
    const wanted = filtersOf(filter).map((each) =>
      each.streams ? { ...each, streams: each.streams.map((stream) => named(stage, stream)) } : each,
    );
    const all = await ownEvents(stage);
    expect(all).toHaveLength(FILLED_EVENTS);
    const last = all.at(-1)?.position ?? 0;
    const expected = all.filter(matcher(wanted, store.codec));
    // Beside others every page costs their events, too.
    for (const size of stage.tag === null ? [1, 2, 3, 7, 50, 1_000] : [3, 50]) {
      expect(await paged(stage.from, wanted, size, last)).toEqual(expected);
    }
  });

  test.runIf(keepsText)('a commit without an event of a wanted type is passed over unread', async () => {
    const unreadable = { ...commit('account-1', NO_STREAM, ['a', 'b']), text: '<placed>' };
    await store.append([unreadable, commit('account-2', NO_STREAM, ['placed 1', 'filled 1', 'placed 2'])]);
    await store.append([{ ...unreadable, id: randomUUID(), expectedRevision: 1 }]);
    await expect(store.readAll(0, { categories: ['account'] }, 10)).rejects.toThrow();
    const page = await store.readAll(0, [{ categories: ['book'] }, { types: ['filled', 'closed'] }], 10);
    expect(page).toMatchObject({ events: [{ position: 4 }], position: 7, atEnd: true });
  });

  test.runIf(keepsText)('the events’ text is taken as it is from who has it already', async () => {
    await append({ ...commit('account-1', NO_STREAM, ['a']), text: '[{"text":"given"}]' });
    expect(await texts()).toEqual(['given']);
  });

  test('listeners are told of an append until they leave', async () => {
    let calls = 0;
    const leave = store.onAppend(() => {
      calls += 1;
    });
    await append(commit('account-1', NO_STREAM, ['a']));
    await expect.poll(() => calls, { interval: 1 }).toBeGreaterThan(0);
    leave();
    const before = calls;
    await append(commit('account-1', 0, ['b']));
    expect(await texts()).toEqual(['a', 'b']);
    expect(calls).toBe(before);
  });
}

/** More than anybody appends meanwhile, in events or in bytes. */
const FAR_BEYOND = 1_000_000_000;
const FILLED_EVENTS = 141;

const numbered = (count: number) => Array.from({ length: count }, (_, i) => String(i));

/** Commits of several sizes, categories, streams and symbols, from a fixed pattern. */
async function fill(stage: Stage): Promise<void> {
  const revisions = new Map<string, number>();
  for (let call = 0; call < 4; call++) {
    const commits = Array.from({ length: 12 }, (_, i) => {
      const n = call * 12 + i;
      const kind = ['account', 'account', 'book', 'market'][(n * 7) % 4] ?? '';
      const letter = ['A', 'B', 'C'][(n * 5) % 3] ?? '';
      const stream = kind === 'account' ? `account-${n % 4}` : `${kind}-${letter}`;
      const revision = revisions.get(stream) ?? NO_STREAM;
      const size = 1 + ((n * 11) % 5);
      revisions.set(stream, revision + size);
      const input = kind === 'market' || (kind === 'account' && n % 3 > 0);
      return commitTo(
        named(stage, stream),
        revision,
        numbered(size).map((text, at) => `${['placed', 'filled', 'fill'][(n + at) % 3]} ${n}.${text}`),
        {
          symbol: input ? letter : null,
        },
      );
    });
    for (const verdict of await stage.store.append(commits)) expect(verdict.verdict).toBe('ok');
  }
}
