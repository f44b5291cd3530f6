import { expect, test } from 'vitest';
import { requestKey } from './requestKey.ts';

const ID = '0195f000-0000-7000-8000-000000000001';
const asked = { command: 'PlaceOrder', subject: 'account', body: { qty: '1' } };

test('a key is a UUID in any case, and the hash is of what is asked', () => {
  const key = requestKey({ 'idempotency-key': ID.toUpperCase() }, asked);
  expect(key).toEqual({ id: ID, hash: expect.stringMatching(/^[\w-]{22}$/) });
  expect(requestKey({ 'idempotency-key': ID }, { ...asked })).toEqual(key);
});

test.for([
  ['command', { ...asked, command: 'CancelOrder' }],
  ['subject', { ...asked, subject: 'other' }],
  ['body', { ...asked, body: { qty: '2' } }],
  ['absent body', { ...asked, body: undefined }],
] as const)('another %s is another hash', ([, other]) => {
  const headers = { 'idempotency-key': ID };
  expect(requestKey(headers, other).hash).not.toBe(requestKey(headers, asked).hash);
});

test.for([[undefined], [''], ['abc'], ['0195f000-0000-7000-8000-00000000000g'], [`${ID} `]])(
  'no key: %s',
  ([id]) => {
    expect(() => requestKey({ 'idempotency-key': id }, asked)).toThrow('Send an idempotency key: a UUID');
  },
);
