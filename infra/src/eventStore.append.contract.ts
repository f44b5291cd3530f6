import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { broken, commit, conflict, duplicate, type Noted, ok, texts } from '../test/noted.ts';
import {
  COMMITS_PER_APPEND_MAX,
  type Commit,
  EVENTS_PER_COMMIT_MAX,
  type EventStore,
  NO_STREAM,
} from './eventStore.ts';

/** Verdicts: revisions that are expected, chains, retries, bounds. */
export function appendContract(given: () => EventStore<Noted>): void {
  let store: EventStore<Noted>;
  beforeEach(() => {
    store = given();
  });
  const append = (...commits: Commit<Noted>[]) => store.append(commits);

  test.for([
    ['behind', NO_STREAM],
    ['behind, inside the commit', 0],
    ['ahead', 2],
  ] as const)('a commit that expects a revision %s conflicts and hinders no other', async ([, expected]) => {
    await append(commit('account-1', NO_STREAM, ['a', 'b']));
    const verdicts = await append(
      commit('account-2', NO_STREAM, ['x']),
      commit('account-1', expected, ['lost']),
      commit('account-1', 1, ['c']),
    );
    expect(verdicts).toEqual([ok(0, 3), conflict(1), ok(2, 4)]);
    expect(await texts(store)).toEqual(['a', 'b', 'x', 'c']);
  });

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

  test.for([
    ['without events', () => [commit('account-1', NO_STREAM, [])]],
    ['with too many events', () => [commit('account-1', NO_STREAM, numbered(EVENTS_PER_COMMIT_MAX + 1))]],
    ['that expects anything', () => [commit('account-1', -2, ['a'])]],
    ['without a UUID', () => [{ ...commit('account-1', NO_STREAM, ['a']), id: 'x' }]],
    ['without a stream', () => [commit('', NO_STREAM, ['a'])]],
    ['with an empty symbol', () => [commit('account-1', NO_STREAM, ['a'], { symbol: '' })]],
    [
      'among too many',
      () => numbered(COMMITS_PER_APPEND_MAX + 1).map((text) => commit(`account-${text}`, NO_STREAM, [text])),
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
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => String(i));
