import { expect, test } from 'vitest';
import { handClock, settle } from '../../test/handClock.ts';
import { streamMessage } from '../live/streamMessage.ts';
import { BEHIND_MS_MAX, outbox, REPLIES_BYTES_MAX, ROOM_BYTES } from './outbox.ts';
import { subscription } from './subscription.ts';

/** A client that takes nothing until it is told to. */
function given(bufferBytesMax = 10_000) {
  const clock = handClock();
  const waiting: { text: string; sent: () => void }[] = [];
  const taken: string[] = [];
  let cuts = 0;
  const socket = {
    get bufferedAmount() {
      return waiting.reduce((sum, { text }) => sum + text.length, 0);
    },
    send: (text: string, sent: () => void) => void waiting.push({ text, sent }),
  };
  const out = outbox({ socket, runtime: clock, cutOff: () => (cuts += 1), bufferBytesMax });
  const depth = subscription({ channel: 'depth', symbol: 'XEQT' }, out, () => undefined);
  const ticker = subscription({ channel: 'ticker', symbol: 'XEQT' }, out, () => undefined);
  out.onRoom(() => {
    depth.room();
    ticker.room();
  });
  /** The client takes all that waits. */
  const take = () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      taken.push(next.text);
      next.sent();
    }
  };
  const say = (channel: 'depth' | 'ticker', sequence: number, size = 4_000) =>
    streamMessage({ channel, symbol: 'XEQT' }, sequence, JSON.stringify('x'.repeat(size)));
  const heard = () =>
    taken.map((text) => {
      const { type, channel, sequence, reason } = JSON.parse(text);
      return [type, channel, sequence, ...(reason ? [reason] : [])];
    });
  return { clock, out, depth, ticker, take, say, heard, cuts: () => cuts, waiting };
}

test('a slow client is told from where on messages are missing, and goes on with what comes then', () => {
  const { depth, take, say, heard } = given();
  for (let sequence = 1; sequence <= 6; sequence++) depth.sink.send(say('depth', sequence));
  take();
  depth.sink.send(say('depth', 7));
  take();
  expect(heard()).toEqual([
    ['data', 'depth', 1],
    ['data', 'depth', 2],
    ['resync', 'depth', 2, 'slow_consumer'],
    ['data', 'depth', 7],
  ]);
});

test('of what tells how things stand a slow client is given the newest', () => {
  const { ticker, take, say, heard } = given(ROOM_BYTES * 2);
  for (let sequence = 1; sequence <= 6; sequence++)
    ticker.sink.sendState(say('ticker', sequence, ROOM_BYTES - 200));
  take();
  expect(heard()).toEqual([
    ['data', 'ticker', 1],
    ['data', 'ticker', 2],
    ['data', 'ticker', 6],
  ]);
});

test('one channel that is behind holds the others up, not the replies', () => {
  const { depth, out, take, say, heard } = given();
  for (let sequence = 1; sequence <= 3; sequence++) depth.sink.send(say('depth', sequence));
  out.reply('{"type":"reply"}');
  take();
  expect(heard()).toEqual([
    ['data', 'depth', 1],
    ['data', 'depth', 2],
    ['reply', undefined, undefined],
    ['resync', 'depth', 2, 'slow_consumer'],
  ]);
});

test('who stays behind is cut off, and who has caught up is not', () => {
  const slow = given();
  const quick = given();
  for (const { depth, say } of [slow, quick]) {
    for (let sequence = 1; sequence <= 4; sequence++) depth.sink.send(say('depth', sequence));
  }
  quick.take();
  for (const { clock } of [slow, quick]) clock.pass(BEHIND_MS_MAX);
  expect([slow.cuts(), quick.cuts()]).toEqual([1, 0]);
});

test('who lets replies pile up is cut off', () => {
  const { out, cuts } = given();
  out.reply('x'.repeat(REPLIES_BYTES_MAX));
  expect(cuts()).toBe(0);
  out.reply('x');
  expect(cuts()).toBe(1);
});

test('the past waits for the client', async () => {
  const { depth, take, say } = given(ROOM_BYTES * 10);
  for (let sequence = 1; sequence <= 3; sequence++) depth.sink.send(say('depth', sequence, ROOM_BYTES));
  let room: boolean | null = null;
  void depth.sink.room().then((is) => {
    room = is;
  });
  await settle();
  expect(room).toBeNull();
  take();
  await settle();
  expect(room).toBe(true);
  depth.close();
  expect(await depth.sink.room()).toBe(false);
});

test('what has ended says why, once, and nothing more', () => {
  const { depth, take, say, heard } = given();
  depth.end('token_expired');
  depth.end('unavailable');
  depth.sink.send(say('depth', 1));
  take();
  expect(heard()).toEqual([['ended', 'depth', undefined, 'token_expired']]);
});
