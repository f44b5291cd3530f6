import { expect, test } from 'vitest';
import { headerOf, wholeReply } from '../../src/load/generator/httpConnection.ts';

const accepted = 'HTTP/1.1 202 Accepted\r\nX-BrokerX-Position: s.7\r\nContent-Length: 5\r\n\r\nhello';
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n';

test.for([
  ['with a length', accepted, { status: 202, text: 'hello', closes: false }],
  ['in chunks', chunked, { status: 200, text: 'hello world', closes: false }],
  [
    'without a body',
    'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n',
    { status: 204, text: '', closes: true },
  ],
  [
    'after an interim one',
    `HTTP/1.1 103 Early Hints\r\n\r\n${accepted}`,
    { status: 202, text: 'hello', closes: false },
  ],
] as const)('a reply %s is whole when its last byte is there, and not before', ([, reply, expected]) => {
  for (let length = 0; length < reply.length; length++)
    expect(wholeReply(reply.slice(0, length)), `${length} bytes`).toBeUndefined();
  expect(wholeReply(reply)).toMatchObject(expected);
});

test('a header is found by its whole name', () => {
  const { head = '' } = wholeReply(accepted) ?? {};
  expect(headerOf(head, 'x-brokerx-position')).toBe('s.7');
  expect(headerOf(head, 'position')).toBeUndefined();
});
