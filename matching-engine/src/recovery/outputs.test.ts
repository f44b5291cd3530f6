import { type BookFact, eventIdOf } from '@brokerx/contracts';
import { realRuntime } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { desk, SYMBOL } from '../../test/desk.ts';
import { packOutputs } from './outputs.ts';

const TIME = '2026-01-05T14:30:00.000Z';
const facts = (count: number): BookFact[] =>
  Array.from({ length: count }, () => ({ type: 'InputNoted.v1', data: {} }));

// Outputs of consecutive inputs → events in each commit, and whether its last event says that there is more.
test.for([
  ['a few inputs share a commit', [1, 2, 3], [[6, false]]],
  ['a full commit is full', [499, 1], [[500, false]]],
  [
    'what does not fit begins the next commit',
    [499, 2],
    [
      [499, false],
      [2, false],
    ],
  ],
  ['an input of a whole commit', [500], [[500, false]]],
  [
    'an input of more than one',
    [501],
    [
      [500, true],
      [1, false],
    ],
  ],
  [
    'the end of a long one shares its commit',
    [3, 1_200, 5],
    [
      [3, false],
      [500, true],
      [500, true],
      [205, false],
    ],
  ],
] as const)('%s', ([, inputs, expected]) => {
  const d = desk();
  const outputs = packOutputs(SYMBOL, -1, realRuntime);
  const packed = inputs.flatMap((count) => outputs.add(d.halt(), facts(count), TIME));
  const last = outputs.take();
  const all = last ? [...packed, last] : packed;
  expect(all.map(({ commit }) => [commit.events.length, commit.events.at(-1)?.more === true])).toEqual(
    expected,
  );
  expect(all.reduce((sum, { inputs: ended }) => sum + ended, 0)).toBe(inputs.length);
  let revision = -1;
  for (const { commit, revision: after } of all) {
    expect(commit).toMatchObject({
      stream: `book-${SYMBOL}`,
      expectedRevision: revision,
      chained: true,
      symbol: null,
    });
    expect(commit.events.map(({ id }) => id)).toEqual(
      commit.events.map((_, index) => eventIdOf(commit.id, index)),
    );
    revision += commit.events.length;
    expect(after).toBe(revision);
  }
  expect([outputs.revision(), outputs.take()]).toEqual([revision, null]);
});
