import { realRuntime } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { NoTurn } from './fairTurns.ts';
import { argon2Passwords } from './passwords.ts';

const passwords = argon2Passwords(realRuntime);

test('a hash is Argon2id with the parameters of OWASP, salted, and verifies its password alone', async () => {
  const [one, other] = [await passwords.hash('correct horse'), await passwords.hash('correct horse')];
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(one).not.toBe(other);
  expect(await passwords.verify(one, 'correct horse')).toBe(true);
  expect(await passwords.verify(one, 'correct horsf')).toBe(false);
});

test('nobody has no password', async () => {
  expect(await passwords.verify(null, 'correct horse')).toBe(false);
});

test('a long password counts to its last character', async () => {
  const long = 'x'.repeat(255);
  expect(await passwords.verify(await passwords.hash(`${long}a`), `${long}b`)).toBe(false);
});

test('two are hashed at a time, fifty of a kind wait, more are refused, and all that waited are served', async () => {
  const busy = argon2Passwords(realRuntime);
  let begun = 0;
  const begin = () => {
    begun += 1;
    return false;
  };
  const attempts = Array.from({ length: 55 }, () => busy.verify(null, 'x', begin));
  const results = await Promise.allSettled(attempts);
  const refused = results.filter((result) => result.status === 'rejected');
  expect(refused.map(({ reason }) => reason)).toEqual(Array(3).fill(expect.any(NoTurn)));
  expect(begun).toBe(52);
  expect(await busy.verify(await busy.hash('a password'), 'a password')).toBe(true);
});
