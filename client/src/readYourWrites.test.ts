import { expect, test } from 'vitest';
import { positions } from './readYourWrites.ts';

const STORE = '11111111-1111-4111-8111-111111111111';
const OTHER_STORE = '22222222-2222-4222-8222-222222222222';
/** As an access token has it; another one of the same person differs elsewhere. */
const tokenOf = (sub: string, jti = 'a') =>
  `e30.${Buffer.from(JSON.stringify({ sub, jti })).toString('base64url')}.signature`;

test('each person’s newest position is remembered, whichever token they had', () => {
  const known = positions();
  known.note(tokenOf('ann'), `${STORE}:7`);
  known.note(tokenOf('bob'), `${STORE}:3`);
  known.note(tokenOf('ann', 'the next token'), `${STORE}:5`);
  known.note(tokenOf('ann'), undefined);
  expect([known.of(tokenOf('ann', 'another')), known.of(tokenOf('bob'))]).toEqual([
    `${STORE}:7`,
    `${STORE}:3`,
  ]);
});

test('nothing is remembered of nobody', () => {
  const known = positions();
  for (const nobody of [undefined, '', 'no token', 'e30.e30.x']) {
    known.note(nobody, `${STORE}:7`);
    expect(known.of(nobody)).toBeUndefined();
  }
});

test('the position of another store takes the place of the one before, and one that is of no use is forgotten', () => {
  const known = positions();
  known.note(tokenOf('ann'), `${STORE}:7`);
  known.note(tokenOf('ann'), `${OTHER_STORE}:2`);
  expect(known.of(tokenOf('ann'))).toBe(`${OTHER_STORE}:2`);
  known.forget(tokenOf('ann'), `${STORE}:7`);
  expect(known.of(tokenOf('ann'))).toBe(`${OTHER_STORE}:2`);
  known.forget(tokenOf('ann'), `${OTHER_STORE}:2`);
  expect(known.of(tokenOf('ann'))).toBeUndefined();
});

test('who has been quiet longest is forgotten first', () => {
  const known = positions(2);
  for (const name of ['ann', 'bob', 'ann', 'eve']) known.note(tokenOf(name), `${STORE}:1`);
  expect(['ann', 'bob', 'eve'].map((name) => known.of(tokenOf(name)) !== undefined)).toEqual([
    true,
    false,
    true,
  ]);
});
