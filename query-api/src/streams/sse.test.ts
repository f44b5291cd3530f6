import { once } from 'node:events';
import { expect, test } from 'vitest';
import { handClock } from '../../test/handClock.ts';
import { frame } from '../live/sseFrame.ts';
import { HEARTBEAT_MS, openStreams } from './openStreams.ts';
import { eventStream, LINGER_MS } from './sse.ts';

const HELLO = 'retry: 1000\n: connected\n\n';
/** What a client can take now. */
const read = (body: { read(): Buffer | null }) => {
  let text = '';
  for (let chunk = body.read(); chunk !== null; chunk = body.read()) text += chunk.toString();
  return text;
};

test('a message is an id, a name and one line of JSON', () => {
  expect(frame('trade', '{"a":1}', 7)).toBe('id: 7\nevent: trade\ndata: {"a":1}\n\n');
  expect(frame('depth', '{}')).toBe('event: depth\ndata: {}\n\n');
});

test('what fits is kept for the client, in order', () => {
  const stream = eventStream({ runtime: handClock() });
  stream.send('one\n\n');
  stream.send('two\n\n');
  expect(read(stream.body)).toBe(`${HELLO}one\n\ntwo\n\n`);
});

test('what does not fit ends the stream as a slow consumer, and its connection when nobody reads that', async () => {
  const clock = handClock();
  const stream = eventStream({ runtime: clock, bufferBytesMax: 60 });
  stream.send('x'.repeat(20));
  stream.send('y'.repeat(20));
  stream.send('after the end');
  expect(stream.ended.aborted).toBe(true);
  const closed = once(stream.body, 'close');
  clock.pass(LINGER_MS);
  await closed;
});

test('the slow consumer is told why when he reads on', () => {
  const stream = eventStream({ runtime: handClock(), bufferBytesMax: 60 });
  stream.send('x'.repeat(20));
  stream.send('y'.repeat(20));
  expect(read(stream.body)).toBe(`${HELLO}${'x'.repeat(20)}event: slow_consumer\ndata: {}\n\n`);
});

test('of messages that replace each other a slow client gets the newest alone, once he reads', () => {
  const stream = eventStream({ runtime: handClock() });
  stream.send('m'.repeat(70_000));
  for (const text of ['depth 1\n\n', 'depth 2\n\n', 'depth 3\n\n']) stream.sendState(text);
  expect(read(stream.body).replace(/m+/, 'many')).toBe(`${HELLO}manydepth 3\n\n`);
});

test('a client who takes nothing of the past for too long is a slow consumer', async () => {
  const clock = handClock();
  const stream = eventStream({ runtime: clock });
  stream.send('m'.repeat(100_000));
  const drained = stream.drained();
  clock.pass(30_000);
  expect([await drained, stream.ended.aborted]).toEqual([false, true]);
});

test('silent streams get a sign of life, and all end together', () => {
  const clock = handClock();
  const streams = openStreams({ runtime: clock });
  const opened = [streams.open(of('ann')), streams.open(of('bob'))];
  for (const { body } of opened) expect(read(body)).toBe(HELLO);
  clock.pass(HEARTBEAT_MS);
  for (const { body } of opened) expect(read(body)).toBe(': heartbeat\n\n');
  streams.close();
  for (const { body } of opened) expect(read(body)).toBe('event: server_shutdown\ndata: {}\n\n');
  expect(streams.count()).toBe(0);
  expect(() => streams.open(of('ann'))).toThrow('the server stops');
});

test('streams are bounded for each address, each account and in all; one that ends makes room', () => {
  const bounds = { max: 4, perAddressMax: 2, perAccountMax: 1 };
  const streams = openStreams({ runtime: handClock(), bounds });
  const first = streams.open(of('ann'));
  streams.open(of('ann'));
  expect(() => streams.open(of('ann'))).toThrow('2 event streams of one address');
  streams.open({ ...of('bob'), accountId: 'of Bob' });
  expect(() => streams.open({ ...of('cid'), accountId: 'of Bob' })).toThrow('1 event streams of one account');
  streams.open(of('cid'));
  expect(() => streams.open(of('dan'))).toThrow('4 event streams of all clients');
  first.end('token_expired');
  expect([streams.open(of('dan')).ended.aborted, streams.count()]).toEqual([false, 4]);
});
const of = (address: string) => ({ address, accountId: null });
