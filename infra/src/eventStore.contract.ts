import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { broken, commit, conflict, duplicate, type Noted, ok, texts } from '../test/noted.ts';
import {
  COMMITS_PER_APPEND_MAX,
  type Commit,
  EVENTS_PER_COMMIT_MAX,
  type EventStore,
  type Filter,
  matches,
  NO_STREAM,
  type Recorded,
} from './eventStore.ts';

/** What every adapter of the event store must do. `open` gives an empty store; `close` ends and removes it. */
export function eventStoreContract(
  name: string,
  open: () => Promise<{ store: EventStore<Noted>; close(): Promise<void> }>,
): void {
  describe(`${name}: event store`, () => {
    let store: EventStore<Noted>;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ store, close } = await open());
    });
    afterEach(() => close());

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

    test.for([
      ['behind', NO_STREAM],
      ['behind, inside the commit', 0],
      ['ahead', 2],
    ] as const)(
      'a commit that expects a revision %s conflicts and hinders no other',
      async ([, expected]) => {
        await append(commit('account-1', NO_STREAM, ['a', 'b']));
        const verdicts = await append(
          commit('account-2', NO_STREAM, ['x']),
          commit('account-1', expected, ['lost']),
          commit('account-1', 1, ['c']),
        );
        expect(verdicts).toEqual([ok(0, 3), conflict(1), ok(2, 4)]);
        expect(await texts(store)).toEqual(['a', 'b', 'x', 'c']);
      },
    );

    test('of many who expect the same revision at once, one succeeds', async () => {
      await append(commit('account-1', NO_STREAM, ['a']));
      const rivals = Array.from({ length: 12 }, (_, i) => append(commit('account-1', 0, [`rival ${i}`])));
      const verdicts = (await Promise.all(rivals)).flat();
      expect(verdicts.filter(({ verdict }) => verdict === 'ok')).toEqual([ok(1, 2)]);
      expect(verdicts.filter(({ verdict }) => verdict === 'conflict')).toHaveLength(11);
      expect(await store.head()).toBe(2);
    });

    test('several commits to one stream go in one call, chained or not', async () => {
      expect(
        await append(
          commit('account-1', NO_STREAM, ['a']),
          commit('account-1', 0, ['b', 'c'], { chained: true }),
          commit('account-1', 2, ['d']),
          commit('account-1', 3, ['e'], { chained: true }),
        ),
      ).toEqual([ok(0, 1), ok(2, 3), ok(3, 4), ok(4, 5)]);
      expect(await texts(store)).toEqual(['a', 'b', 'c', 'd', 'e']);
    });

    test('a chain breaks with its first link, even where a stranger would satisfy it', async () => {
      await append(commit('account-1', NO_STREAM, ['stranger']));
      expect(
        await append(
          commit('account-1', NO_STREAM, ['mine'], { chained: true }),
          commit('account-1', 0, ['mine too'], { chained: true }),
          commit('account-2', NO_STREAM, ['other'], { chained: true }),
          commit('account-1', 1, ['and this'], { chained: true }),
          commit('account-1', 0, ['decided anew']),
          commit('account-1', 1, ['upon it'], { chained: true }),
        ),
      ).toEqual([conflict(0), broken, ok(0, 2), broken, ok(1, 3), ok(2, 4)]);
      expect(await texts(store)).toEqual(['stranger', 'other', 'decided anew', 'upon it']);
    });

    test('a chained commit that expects what its predecessor did not leave conflicts', async () => {
      expect(
        await append(commit('account-1', NO_STREAM, ['a']), commit('account-1', 1, ['b'], { chained: true })),
      ).toEqual([ok(0, 1), conflict(0)]);
    });

    test('the same commit twice in one call is one commit', async () => {
      const twice = commit('account-1', NO_STREAM, ['a', 'b']);
      expect(await append(twice, twice)).toEqual([ok(1, 2), duplicate(1, 2)]);
      const later = commit('account-1', 1, ['c'], { chained: true });
      expect(await append(twice, later, later, twice)).toEqual([
        duplicate(1, 2),
        ok(2, 3),
        duplicate(2, 3),
        duplicate(1, 2),
      ]);
      expect(await texts(store)).toEqual(['a', 'b', 'c']);
    });

    test('a repeated call is told where everything stands, also after the streams moved on', async () => {
      const call = [
        commit('account-1', NO_STREAM, ['a']),
        commit('account-1', 0, ['b', 'c'], { chained: true }),
        commit('account-2', 5, ['never']),
        commit('account-2', NO_STREAM, ['d']),
      ];
      expect(await store.append(call)).toEqual([ok(0, 1), ok(2, 3), conflict(NO_STREAM), ok(0, 4)]);
      await append(commit('account-1', 2, ['e']), commit('account-2', 0, ['f']));
      expect(await store.append(call)).toEqual([
        duplicate(0, 1),
        duplicate(2, 3),
        conflict(1),
        duplicate(0, 4),
      ]);
      expect(await store.head()).toBe(6);
    });

    test('a chain goes on from a commit that stood already', async () => {
      const first = commit('account-1', NO_STREAM, ['a']);
      await append(first);
      expect(await append(first, commit('account-1', 0, ['b'], { chained: true }))).toEqual([
        duplicate(0, 1),
        ok(1, 2),
      ]);
    });

    test('a known id at another place, with another count, or on another stream is no duplicate', async () => {
      const known = commit('account-1', NO_STREAM, ['a', 'b']);
      await append(known, commit('account-1', 1, ['c']));
      expect(
        await append(
          { ...known, expectedRevision: 1 },
          { ...known, expectedRevision: 0 },
          { ...known, events: [{ text: 'a' }] },
          { ...known, id: randomUUID() },
          { ...known, stream: 'account-2' },
          { ...known, expectedRevision: 2 },
        ),
      ).toEqual([conflict(2), conflict(2), conflict(2), conflict(2), ok(1, 5), ok(4, 7)]);
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

    test.for<Filter>([
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
    ])('a filtered reader gets what matches and is moved through the rest: %j', async (filter) => {
      await fill(store);
      const all = (await store.readAll(0, {}, 1_000)).events;
      const expected = all.filter((event) => matches(filter, event));
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

    test.for([
      ['without events', () => [commit('account-1', NO_STREAM, [])]],
      ['with too many events', () => [commit('account-1', NO_STREAM, numbered(EVENTS_PER_COMMIT_MAX + 1))]],
      ['that expects anything', () => [commit('account-1', -2, ['a'])]],
      ['without a UUID', () => [{ ...commit('account-1', NO_STREAM, ['a']), id: 'x' }]],
      ['without a stream', () => [commit('', NO_STREAM, ['a'])]],
      ['with an empty symbol', () => [commit('account-1', NO_STREAM, ['a'], { symbol: '' })]],
      [
        'among too many',
        () =>
          numbered(COMMITS_PER_APPEND_MAX + 1).map((text) => commit(`account-${text}`, NO_STREAM, [text])),
      ],
    ] as const)('a commit %s is a bug and leaves no trace', async ([, commits]) => {
      await expect(store.append([commit('account-2', NO_STREAM, ['good']), ...commits()])).rejects.toThrow();
      expect(await store.head()).toBe(0);
    });

    test('the largest call is taken whole', async () => {
      const many = numbered(COMMITS_PER_APPEND_MAX - 1).map((text) =>
        commit(`account-${text}`, NO_STREAM, [text]),
      );
      const verdicts = await append(...many, commit('book-A', NO_STREAM, numbered(EVENTS_PER_COMMIT_MAX)));
      expect(verdicts.every(({ verdict }) => verdict === 'ok')).toBe(true);
      expect(verdicts.at(-1)).toEqual(ok(EVENTS_PER_COMMIT_MAX - 1, await store.head()));
    });
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
        numbered(size).map((text) => `${n}.${text}`),
        {
          symbol: input ? letter : null,
        },
      );
    });
    for (const verdict of await store.append(commits)) expect(verdict.verdict).toBe('ok');
  }
}
