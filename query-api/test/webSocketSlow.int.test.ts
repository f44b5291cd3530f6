import { type BookFact, bookStream } from '@brokerx/contracts';
import { type Runtime, realRuntime } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { PING_MS } from '../src/ws/openSockets.ts';
import { BEHIND_MS_MAX } from '../src/ws/outbox.ts';
import { list, rests, sells } from './market.ts';
import { startTestQueryApi } from './queryApi.ts';
import type { Received } from './webSocket.ts';

const SYMBOL = 'SLOW';
const trades = { channel: 'trades', symbol: SYMBOL };
/** Sockets take megabytes before the server's own buffer begins to fill. */
const TRADES = 60_000;
const PER_APPEND = 250;
/**
 * So many trades may take a busy machine longer than a client may stay behind, or leave a ping unanswered: here nobody is cut
 * off for it.
 */
const patient: Runtime = {
  ...realRuntime,
  setTimer: (ms, callback) =>
    ms === BEHIND_MS_MAX || ms === PING_MS ? () => undefined : realRuntime.setTimer(ms, callback),
};

test('a client that takes nothing for a while is told where the gap begins, and fetches what it missed', async () => {
  const api = await startTestQueryApi({ bufferBytesMax: 200_000, runtime: patient });
  await list(api, SYMBOL);
  await api.append(bookStream(SYMBOL), [rests('large', 'buy', 2_990, TRADES)]);
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/v1/ws`);
  const received: Received[] = [];
  socket.on('message', (data) => received.push(JSON.parse(String(data))));
  await new Promise((resolve) => socket.once('open', resolve));
  const subscribe = (id: number, more: object = {}) =>
    socket.send(
      JSON.stringify({ id, method: 'subscribe', params: { subscriptions: [{ ...trades, ...more }] } }),
    );
  const of = (type: string, messages = received) => messages.filter((message) => message.type === type);
  const sequencesOf = (messages: Received[]) => of('data', messages).map((message) => message['sequence']);
  const until = (condition: () => boolean) => expect.poll(condition, { timeout: 240_000 }).toBe(true);
  subscribe(1);
  await until(() => of('reply').length === 1);

  socket.pause();
  let total = 0;
  const more = async (count: number) => {
    const facts: BookFact[] = [];
    for (let n = 0; n < count; n++) facts.push(...sells(++total, 'large', 1));
    await api.append(bookStream(SYMBOL), facts);
  };
  while (total < TRADES - PER_APPEND) await more(PER_APPEND);
  socket.resume();
  await until(() => of('resync').length > 0);
  const [resync] = of('resync');
  // What comes behind it is of later: trades may still be on their way, and be too many for the buffer once more.
  const before = sequencesOf(received.slice(0, received.indexOf(resync as Received)));
  expect(resync).toEqual({
    type: 'resync',
    ...trades,
    reason: 'slow_consumer',
    sequence: before.at(-1),
  });
  expect(before.length).toBeLessThan(total);

  subscribe(2, { after: before.at(-1) });
  await until(() => of('reply').length === 2);
  const since = () => sequencesOf(received.slice(received.indexOf(of('reply')[1] as Received)));
  await until(() => before.length + since().length >= total);
  await more(1);
  await until(() => before.length + since().length >= total);
  // Every trade is the second event of its input, behind the order that was there first.
  expect([...before, ...since()]).toEqual(Array.from({ length: total }, (_, n) => 2 * (n + 1)));
  socket.close();
  await api.close();
}, 600_000);
