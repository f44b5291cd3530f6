import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { realRuntime } from '../runtime/runtime.ts';
import {
  deriveKey,
  keyedHash,
  keyIdOf,
  newClientKey,
  parseMasterKey,
  SealBroken,
  sealField,
  unsealField,
  unwrapKey,
  wrapKey,
} from './sealing.ts';

const key = newClientKey('0198c0de-0000-7000-8000-000000000001', realRuntime);
const place = { eventId: '0198c0de-0000-5000-8000-000000000002', field: 'email' };

test('what was sealed opens at its place', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(unsealField(key, place, sealField(key, place, text, realRuntime))).toBe(text);
    }),
  );
});

test('the wire form names version, key, nonce and ciphertext, and nothing of the text', () => {
  const sealed = sealField(key, place, 'ann@example.com', realRuntime);
  expect(sealed).toMatch(/^enc\.v1\.[0-9a-f-]{36}\.[\w-]{16}\.[\w-]{42}$/);
  expect(keyIdOf(sealed)).toBe(key.keyId);
});

test('the same text is never sealed to the same ciphertext', () => {
  expect(sealField(key, place, 'x', realRuntime)).not.toBe(sealField(key, place, 'x', realRuntime));
});

const sealed = sealField(key, place, 'ann@example.com', realRuntime);
const flipped = sealed.slice(0, -3) + (sealed.at(-3) === 'A' ? 'B' : 'A') + sealed.slice(-2);
test.for([
  ['moved to another event', key, { ...place, eventId: '0198c0de-0000-5000-8000-000000000003' }, sealed],
  ['moved to another field', key, { ...place, field: 'phone' }, sealed],
  ['moved to another client', { ...key, clientId: '0198c0de-0000-7000-8000-000000000009' }, place, sealed],
  ['under another secret', { ...key, secret: randomBytes(32) }, place, sealed],
  ['of another key', newClientKey(key.clientId, realRuntime), place, sealed],
  ['changed by one bit', key, place, flipped],
  ['cut off', key, place, sealed.slice(0, -20)],
  ['not sealed at all', key, place, 'ann@example.com'],
] as const)('a field does not open: %s', ([, under, at, text]) => {
  expect(() => unsealField(under, at, text)).toThrow(SealBroken);
});

test('a client key is wrapped by the master key and opens for its client alone', () => {
  const masterKey = randomBytes(32);
  const { secret, ...id } = key;
  const wrapped = wrapKey(masterKey, key, realRuntime);
  expect(wrapped.includes(secret)).toBe(false);
  expect(unwrapKey(masterKey, id, wrapped)).toEqual(key);
  expect(() => unwrapKey(randomBytes(32), id, wrapped)).toThrow(SealBroken);
  expect(() => unwrapKey(masterKey, { ...id, clientId: 'other' }, wrapped)).toThrow(SealBroken);
});

test('keys of different purposes are different, and the same again after a restart', () => {
  const masterKey = Buffer.alloc(32, 1);
  expect(deriveKey(masterKey, 'email')).toEqual(deriveKey(masterKey, 'email'));
  expect(deriveKey(masterKey, 'email')).not.toEqual(deriveKey(masterKey, 'phone'));
});

test('a keyed hash is HMAC-SHA-256 (RFC 4231, test case 2)', () => {
  expect(keyedHash(Buffer.from('Jefe'), 'what do ya want for nothing?')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

test.for([
  [Buffer.alloc(32, 3).toString('base64'), Buffer.alloc(32, 3)],
  [Buffer.alloc(16, 3).toString('base64'), undefined],
  ['not base64 !', undefined],
  ['', undefined],
] as const)('the master key is 32 bytes of base64: %s', ([text, parsed]) => {
  expect(parseMasterKey(text)).toEqual(parsed);
});
