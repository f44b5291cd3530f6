import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { commit, type Noted, ok, texts } from '../test/noted.ts';
import {
  type Commit,
  type EventStore,
  type Filter,
  matcher,
  NO_STREAM,
  type Recorded,
} from './eventStore.ts';

/** What was appended is there, at its place, for whoever asks for it. */
export function readContract(given: () => EventStore<Noted>): void {
  let store: EventStore<Noted>;
  beforeEach(() => {
    store = given();
  });
  const append = (...commits: Commit<Noted>[]) => store.append(commits);

  test('an empty store has a head of 0 and nothing to read', async () => {
    expect(await store.head()).toBe(0);
    expect(await store.readAll(0, {}, 10)).toEqual({ events: [], position: 0, atEnd: true });
    expect(await store.readStream('account-1', 0, 10)).toEqual([]);
    expect(await store.streamRevision('account-1')).toBe(NO_STREAM);
    expect(await append()).toEqual([]);
    expect(store.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('what was appended is read as it was, at its place', async () => {
    const opened = commit('account-1', NO_STREAM, ['a', 'b']);
    const placed = commit('account-1', 1, ['c'], { symbol: 'ACME' });
    expect(await append(opened)).toEqual([ok(1, 2)]);
    expect(await append(placed)).toEqual([ok(2, 3)]);
    const all = [
      recorded('a', { stream: 'account-1', revision: 0, position: 1, commitId: opened.id }),
      recorded('b', { stream: 'account-1', revision: 1, position: 2, commitId: opened.id }),
      recorded('c', { stream: 'account-1', revision: 2, position: 3, commitId: placed.id, symbol: 'ACME' }),
    ];
    expect(await store.readAll(0, {}, 10)).toEqual({ events: all, position: 3, atEnd: true });
    expect(await store.readStream('account-1', 0, 10)).toEqual(all);
    expect(await store.streamRevision('account-1')).toBe(2);
    expect(await store.head()).toBe(3);
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
    expect(await texts(store)).toEqual([...strange, 'x'.repeat(300_000)]);
  });

  test('what is stored cannot be changed through a reference', async () => {
    const event = { text: 'as it was' };
    await append({ ...commit('account-1', NO_STREAM, []), events: [event] });
    event.text = 'changed';
    for (const read of await store.readStream('account-1', 0, 1)) read.event.text = 'changed';
    expect(await texts(store)).toEqual(['as it was']);
  });

  test('pages of any size, starting anywhere, give the same events', async () => {
    await append(
      commit('account-1', NO_STREAM, ['a', 'b', 'c']),
      commit('book-ACME', NO_STREAM, ['d']),
      commit('account-1', 2, ['e', 'f', 'g', 'h', 'i']),
      commit('book-ACME', 0, ['j', 'k']),
    );
    const all = (await store.readAll(0, {}, 100)).events;
    expect(all.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    for (let after = 0; after <= 11; after++) {
      for (let size = 1; size <= 12; size++) {
        expect(await store.readAll(after, {}, size)).toEqual({
          events: all.slice(after, after + size),
          position: Math.min(11, after + size),
          atEnd: after + size >= 11,
        });
      }
    }
    const stream = all.filter((event) => event.stream === 'account-1');
    for (let from = 0; from <= 8; from++) {
      for (let size = 1; size <= 9; size++) {
        expect(await store.readStream('account-1', from, size)).toEqual(stream.slice(from, from + size));
      }
    }
  });

  test('a cursor beyond the end stays where it is', async () => {
    await append(commit('account-1', NO_STREAM, ['a']));
    expect(await store.readAll(7, {}, 10)).toEqual({ events: [], position: 7, atEnd: true });
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
    await fill(store);
    const all = (await store.readAll(0, {}, 1_000)).events;
    const expected = all.filter(matcher(filter, store.codec));
    const head = await store.head();
    for (const size of [1, 2, 3, 7, 50, 1_000]) {
      const got: Recorded<Noted>[] = [];
      for (let after = 0, atEnd = false; !atEnd; ) {
        const page = await store.readAll(after, filter, size);
        expect(page.events.length).toBeLessThanOrEqual(size);
        expect(page.position).toBeGreaterThanOrEqual(page.events.at(-1)?.position ?? after);
        expect(page.position > after || page.atEnd).toBe(true);
        got.push(...page.events);
        after = page.position;
        atEnd = page.atEnd;
        if (atEnd) expect(after).toBe(head);
      }
      expect(got).toEqual(expected);
    }
  });

  test('a commit without an event of a wanted type is passed over unread', async () => {
    const unreadable = { ...commit('account-1', NO_STREAM, ['a', 'b']), text: '<placed>' };
    await append(unreadable, commit('account-2', NO_STREAM, ['placed 1', 'filled 1', 'placed 2']));
    await append({ ...unreadable, id: randomUUID(), expectedRevision: 1 });
    await expect(store.readAll(0, { categories: ['account'] }, 10)).rejects.toThrow();
    const page = await store.readAll(0, [{ categories: ['book'] }, { types: ['filled', 'closed'] }], 10);
    expect(page).toMatchObject({ events: [{ position: 4 }], position: 7, atEnd: true });
  });

  test('the events’ text is taken as it is from who has it already', async () => {
    await append({ ...commit('account-1', NO_STREAM, ['a']), text: '[{"text":"given"}]' });
    expect(await texts(store)).toEqual(['given']);
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
    expect(await texts(store)).toEqual(['a', 'b']);
    expect(calls).toBe(before);
  });
}

const recorded = (text: string, at: Omit<Recorded<Noted>, 'event' | 'symbol'> & { symbol?: string }) => ({
  symbol: null,
  ...at,
  event: { text },
});

const numbered = (count: number) => Array.from({ length: count }, (_, i) => String(i));

/** Commits of several sizes, categories, streams and symbols, from a fixed pattern. */
async function fill(store: EventStore<Noted>): Promise<void> {
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
      return commit(
        stream,
        revision,
        numbered(size).map((text, at) => `${['placed', 'filled', 'fill'][(n + at) % 3]} ${n}.${text}`),
        {
          symbol: input ? letter : null,
        },
      );
    });
    for (const verdict of await store.append(commits)) expect(verdict.verdict).toBe('ok');
  }
}
