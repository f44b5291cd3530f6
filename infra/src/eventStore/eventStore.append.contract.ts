import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { broken, commit as commitTo, conflict, type Noted } from '../../test/noted.ts';
import { appendSeen, histories, named, ownEvents, type Stage } from '../../test/stage.ts';
import { COMMITS_PER_APPEND_MAX, type Commit, EVENTS_PER_COMMIT_MAX, NO_STREAM } from './eventStore.ts';

/** Verdicts: revisions that are expected, chains, retries, bounds. */
export function appendContract(given: () => Stage): void {
  let stage: Stage;
  beforeEach(() => {
    stage = given();
  });
  const append = (...commits: Commit<Noted>[]) => appendSeen(stage, commits);
  const commit: typeof commitTo = (stream, ...rest) => commitTo(stream && named(stage, stream), ...rest);
  const stands = (...streams: string[]) => histories(stage, streams);

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
    expect(verdicts).toEqual([ok(0), conflict(1), ok(2)]);
    expect(await stands('account-1', 'account-2')).toEqual({
      'account-1': ['a', 'b', 'c'],
      'account-2': ['x'],
    });
  });

  test('of many who expect the same revision at once, one succeeds', async () => {
    await append(commit('account-1', NO_STREAM, ['a']));
    const rivals = Array.from({ length: 12 }, (_, i) =>
      stage.store.append([commit('account-1', 0, [`rival ${i}`])]),
    );
    const verdicts = (await Promise.all(rivals)).flat();
    expect(verdicts.filter(({ verdict }) => verdict === 'ok')).toEqual([ok(1)]);
    expect(verdicts.filter(({ verdict }) => verdict === 'conflict')).toHaveLength(11);
    const rival = expect.stringMatching(/^rival \d+$/);
    expect(await stands('account-1')).toEqual({ 'account-1': ['a', rival] });
  });

  test('several commits to one stream go in one call, chained or not', async () => {
    expect(
      await append(
        commit('account-1', NO_STREAM, ['a']),
        commit('account-1', 0, ['b', 'c'], { chained: true }),
        commit('account-1', 2, ['d']),
        commit('account-1', 3, ['e'], { chained: true }),
      ),
    ).toEqual([ok(0), ok(2), ok(3), ok(4)]);
    expect(await stands('account-1')).toEqual({ 'account-1': ['a', 'b', 'c', 'd', 'e'] });
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
    ).toEqual([conflict(0), broken, ok(0), broken, ok(1), ok(2)]);
    expect(await stands('account-1', 'account-2')).toEqual({
      'account-1': ['stranger', 'decided anew', 'upon it'],
      'account-2': ['other'],
    });
  });

  test('a chained commit that expects what its predecessor did not leave conflicts', async () => {
    expect(
      await append(commit('account-1', NO_STREAM, ['a']), commit('account-1', 1, ['b'], { chained: true })),
    ).toEqual([ok(0), conflict(0)]);
  });

  test('the same commit twice in one call is one commit', async () => {
    const twice = commit('account-1', NO_STREAM, ['a', 'b']);
    expect(await append(twice, twice)).toEqual([ok(1), duplicate(1)]);
    const later = commit('account-1', 1, ['c'], { chained: true });
    expect(await append(twice, later, later, twice)).toEqual([
      duplicate(1),
      ok(2),
      duplicate(2),
      duplicate(1),
    ]);
    expect(await stands('account-1')).toEqual({ 'account-1': ['a', 'b', 'c'] });
  });

  test('a repeated call is told where everything stands, also after the streams moved on', async () => {
    const call = [
      commit('account-1', NO_STREAM, ['a']),
      commit('account-1', 0, ['b', 'c'], { chained: true }),
      commit('account-2', 5, ['never']),
      commit('account-2', NO_STREAM, ['d']),
    ];
    const first = await append(...call);
    expect(first).toEqual([ok(0), ok(2), conflict(NO_STREAM), ok(0)]);
    await append(commit('account-1', 2, ['e']), commit('account-2', 0, ['f']));
    const again = await append(...call);
    expect(again).toEqual([duplicate(0), duplicate(2), conflict(1), duplicate(0)]);
    const places = (verdicts: typeof again) =>
      verdicts.flatMap((verdict) => ('position' in verdict ? [verdict.position] : []));
    expect(places(again)).toEqual(places(first));
    expect(await stands('account-1', 'account-2')).toEqual({
      'account-1': ['a', 'b', 'c', 'e'],
      'account-2': ['d', 'f'],
    });
  });

  test('asked to keep the order of the call, the store keeps it across streams', async () => {
    const [first] = await stage.store.append([commit('account-0', NO_STREAM, ['before'])], { inOrder: true });
    expect(first).toEqual(ok(0));
    const commits = numbered(60).map((text, i) =>
      commit(`account-${i % 20}`, Math.floor(i / 20) - (i % 20 === 0 ? 0 : 1), [text], { chained: i >= 20 }),
    );
    const verdicts = await stage.store.append(commits, { inOrder: true });
    expect(verdicts.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
    const read = (await ownEvents(stage)).map(({ event }) => event.text);
    expect(read).toEqual(['before', ...numbered(60)]);
  });

  test('a chain goes on from a commit that stood already', async () => {
    const first = commit('account-1', NO_STREAM, ['a']);
    await append(first);
    expect(await append(first, commit('account-1', 0, ['b'], { chained: true }))).toEqual([
      duplicate(0),
      ok(1),
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
        { ...known, stream: named(stage, 'account-2') },
        { ...known, expectedRevision: 2 },
      ),
    ).toEqual([conflict(2), conflict(2), conflict(2), conflict(2), ok(1), ok(4)]);
  });

  test.for([
    ['without events', (commit: typeof commitTo) => [commit('account-1', NO_STREAM, [])]],
    [
      'with too many events',
      (commit: typeof commitTo) => [commit('account-1', NO_STREAM, numbered(EVENTS_PER_COMMIT_MAX + 1))],
    ],
    ['that expects anything', (commit: typeof commitTo) => [commit('account-1', -2, ['a'])]],
    ['without a UUID', (commit: typeof commitTo) => [{ ...commit('account-1', NO_STREAM, ['a']), id: 'x' }]],
    ['without a stream', (commit: typeof commitTo) => [commit('', NO_STREAM, ['a'])]],
    [
      'with an empty symbol',
      (commit: typeof commitTo) => [commit('account-1', NO_STREAM, ['a'], { symbol: '' })],
    ],
    [
      'among too many',
      (commit: typeof commitTo) =>
        numbered(COMMITS_PER_APPEND_MAX + 1).map((text) => commit(`account-${text}`, NO_STREAM, [text])),
    ],
  ] as const)('a commit %s is a bug and leaves no trace', async ([, commits]) => {
    const good = commit('account-2', NO_STREAM, ['good']);
    await expect(stage.store.append([good, ...commits(commit)])).rejects.toThrow();
    expect(await ownEvents(stage)).toEqual([]);
  });

  test('the largest call is taken whole', async () => {
    const many = numbered(COMMITS_PER_APPEND_MAX - 1).map((text) =>
      commit(`account-${text}`, NO_STREAM, [text]),
    );
    const verdicts = await append(...many, commit('book-A', NO_STREAM, numbered(EVENTS_PER_COMMIT_MAX)));
    expect(verdicts.every(({ verdict }) => verdict === 'ok')).toBe(true);
    expect(verdicts.at(-1)).toEqual(ok(EVENTS_PER_COMMIT_MAX - 1));
  });
}

const ok = (revision: number) => ({ verdict: 'ok', revision, position: expect.any(Number) });
const duplicate = (revision: number) => ({ ...ok(revision), verdict: 'duplicate' });
const numbered = (count: number) => Array.from({ length: count }, (_, i) => String(i));
