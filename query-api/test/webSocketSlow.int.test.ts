import { type BookFact, bookStream } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { list, rests, sells } from './market.ts';
import { startTestQueryApi } from './queryApi.ts';
import type { Received } from './webSocket.ts';

const SYMBOL = 'SLOW';
const trades = { channel: 'trades', symbol: SYMBOL };
/** Sockets take megabytes before the server's own buffer begins to fill. */
const TRADES = 60_000;
const PER_APPEND = 250;

test('a client that takes nothing for a while is told where the gap begins, and fetches what it missed', async () => {
  const api = await startTestQueryApi({ bufferBytesMax: 200_000 });
  await list(api, SYMBOL);
  await api.append(bookStream(SYMBOL), [rests('large', 'buy', 2_990, TRADES)]);
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/v1/ws`);
  const received: Received[] = [];
  socket.on('message', (data) => received.push(JSON.parse(String(data))));
  await new Promise((resolve) => socket.once('open', resolve));
  const subscribe = (more: object = {}) =>
    socket.send(
      JSON.stringify({ id: 1, method: 'subscribe', params: { subscriptions: [{ ...trades, ...more }] } }),
    );
  const of = (type: string) => received.filter((message) => message.type === type);
  const until = (condition: () => boolean) => expect.poll(condition, { timeout: 60_000 }).toBe(true);
  subscribe();
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
  await until(() => of('resync').length === 1);
  const before = of('data').map((message) => message['sequence']);
  expect(of('resync')).toEqual([
    { type: 'resync', ...trades, reason: 'slow_consumer', sequence: before.at(-1) },
  ]);
  expect(before.length).toBeLessThan(total);

  subscribe({ after: before.at(-1) });
  await until(() => of('data').length >= total);
  await more(1);
  await until(() => of('data').length > total - 1);
  // Every trade is the second event of its input, behind the order that was there first.
  expect(of('data').map((message) => message['sequence'])).toEqual(
    Array.from({ length: total }, (_, n) => 2 * (n + 1)),
  );
  socket.close();
  await api.close();
}, 180_000);
