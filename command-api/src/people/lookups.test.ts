import { expect, test } from 'vitest';
import { accountIdOf, clientIdOf, lookups, operatorIdOf } from './lookups.ts';

const hashes = lookups(Buffer.alloc(32, 7));
const KEY = '0198c0de-0000-7000-8000-000000000001';

test('one mailbox, one hash, whatever the case and the spaces; a telephone number is taken as it is', () => {
  expect(hashes.emailHmac(' Ann@Example.COM ')).toBe(hashes.emailHmac('ann@example.com'));
  expect(hashes.emailHmac('ann@example.com')).not.toBe(hashes.emailHmac('bob@example.com'));
  expect(hashes.phoneHmac('+15145550123')).not.toBe(hashes.phoneHmac('+15145550124'));
  expect(hashes.emailHmac('+15145550123')).not.toBe(hashes.phoneHmac('+15145550123'));
});

test('without the master key the hashes are others', () => {
  expect(lookups(Buffer.alloc(32, 8)).emailHmac('ann@example.com')).not.toBe(
    hashes.emailHmac('ann@example.com'),
  );
});

test('passcodes are six digits, follow from the event, and spread evenly', () => {
  const codes = Array.from({ length: 10_000 }, (_, i) => hashes.passcode(KEY, `event-${i}`));
  expect(codes.every((code) => /^\d{6}$/.test(code))).toBe(true);
  expect(hashes.passcode(KEY, 'event-1')).toBe(codes[1]);
  expect(new Set(codes).size).toBeGreaterThan(9_900);
  const firsts = codes.map((code) => Number(code[0]));
  for (let digit = 0; digit < 10; digit++) {
    expect(firsts.filter((first) => first === digit).length).toBeGreaterThan(850);
  }
});

test('a stored hash of a code is good for its client and its event alone', () => {
  const hash = hashes.passcodeHmac(KEY, 'event-1', '123456');
  expect(hashes.passcodeHmac(KEY, 'event-1', '123456')).toBe(hash);
  expect(hashes.passcodeHmac(KEY, 'event-2', '123456')).not.toBe(hash);
  expect(hashes.passcodeHmac('other', 'event-1', '123456')).not.toBe(hash);
});

test('ids derive from the request, and each kind is its own', () => {
  const ids = [clientIdOf(KEY), accountIdOf(KEY), operatorIdOf(KEY)];
  expect(new Set(ids).size).toBe(3);
  expect(ids).toEqual([clientIdOf(KEY), accountIdOf(KEY), operatorIdOf(KEY)]);
});
