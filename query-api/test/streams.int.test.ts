import { accountStream, bookStream, type Fact } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEventSource } from './eventSource.ts';
import { placed } from './market.ts';
import { ann, bob, idOf, operator, type Person, startTestQueryApi, type TestQueryApi } from './queryApi.ts';

let api: TestQueryApi;
beforeAll(async () => {
  api = await startTestQueryApi();
  for (const person of [ann, bob]) {
    const { accountId, clientId } = person;
    await api.append(accountStream(accountId), [{ type: 'AccountOpened.v1', data: { accountId, clientId } }]);
  }
});
afterAll(() => api.close());

const trade = (number: number): Fact => ({
  type: 'TradeExecuted.v1',
  data: {
    trade: number,
    priceTicks: 3050,
    tickCents: 1,
    quantity: 5,
    takerSide: 'buy',
    maker: { orderId: idOf('maker'), accountId: bob.accountId, revision: 1, leaves: 0 },
    taker: { orderId: idOf('taker'), accountId: ann.accountId, revision: 1, leaves: 5 },
  },
});
const ordersOf = async (person: Person, more: Record<string, string> = {}, query = '') =>
  openEventSource(`${api.url}/v1/streams/orders${query}`, {
    authorization: `Bearer ${await api.token(person)}`,
    ...more,
  });
const ids = (messages: readonly { id: string | undefined }[]) => messages.map(({ id }) => Number(id));

test('an account hears of its own orders as they happen, and of nobody else’s', async () => {
  const source = await ordersOf(ann);
  await source.until((messages) => messages.length === 1);
  await api.append(accountStream(bob.accountId), [placed('b1', bob)]);
  const position = await api.append(accountStream(ann.accountId), [placed('a1', ann)]);
  await source.until((messages) => messages.length === 2);

  expect(source.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(source.messages).toEqual([
    { event: 'stream_ready', id: '0', data: { account_id: ann.accountId } },
    {
      event: 'order_placed',
      id: '1',
      data: {
        event: 'order_placed',
        source: 'account',
        position,
        revision: 1,
        time: '2026-01-05T14:30:00.000Z',
        order_id: idOf('a1'),
        symbol: 'XEQT',
        client_order_id: 'a1',
        side: 'buy',
        type: 'limit',
        time_in_force: 'day',
        qty: '10',
        limit_price: '30.50',
        protection_price: null,
        status: 'pending_new',
        filled_qty: '0',
        leaves_qty: '10',
      },
    },
  ]);
  await source.close();
});

test('who comes back with the last id misses nothing and hears nothing twice, while orders keep coming', async () => {
  const stream = accountStream(ann.accountId);
  const before = await api.store.streamRevision(stream);
  const total = 400;
  const placing = (async () => {
    for (let i = 0; i < total; i++) await api.append(stream, [placed(`r${i}`, ann)]);
  })();

  const heard: number[] = [];
  let last = String(before);
  while (heard.length < total) {
    const source = await ordersOf(ann, { 'last-event-id': last });
    const wanted = Math.min(total - heard.length, 37);
    await source.until(
      (messages) => messages.filter(({ event }) => event === 'order_placed').length >= wanted,
    );
    await source.close();
    const orders = source.messages.filter(({ event }) => event === 'order_placed');
    heard.push(...ids(orders));
    last = String(heard.at(-1));
  }
  await placing;
  expect(heard).toEqual(Array.from({ length: total }, (_, i) => before + 1 + i));
});

test('an id that the stream does not have asks the client to start anew', async () => {
  const source = await ordersOf(bob, {}, '?last_event_id=999999');
  await source.until((messages) => messages.length === 2);
  expect(source.messages).toEqual([
    { event: 'resync_required', id: undefined, data: { reason: 'unknown_id' } },
    { event: 'stream_ready', id: '1', data: { account_id: bob.accountId } },
  ]);
  await source.close();
});

test('an operator may follow any account, a trader only his own', async () => {
  const source = await ordersOf(operator, {}, `?account_id=${bob.accountId}`);
  await source.until((messages) => messages.length === 1);
  await source.close();
  const refused = await ordersOf(ann, {}, `?account_id=${bob.accountId}`);
  expect(refused.response.status).toBe(404);
});

test('a private stream ends with the token', async () => {
  const authorization = `Bearer ${await api.token(ann, 3)}`;
  const source = await openEventSource(`${api.url}/v1/streams/orders`, { authorization });
  await source.ended;
  expect(source.messages.at(-1)).toEqual({ event: 'token_expired', id: undefined, data: {} });
});

const XEQT = {
  depth: { symbol: 'XEQT', sequence: 2, bids: [['30.49', '5']], asks: [] },
  ticker: { symbol: 'XEQT', sequence: 2 },
};
const lastTrade = { id: 'XEQT-1', symbol: 'XEQT', sequence: 2, price: '30.50' };

test('a market stream begins with the book and the last trades and goes on without a gap', async () => {
  const noted: Fact = { type: 'InputNoted.v1', data: {} };
  await api.append(bookStream('XEQT'), [noted, noted, trade(1)]);
  await api.marketData(100, {
    'depth:XEQT': XEQT.depth,
    'ticker:XEQT': XEQT.ticker,
    'trades:XEQT': [lastTrade],
  });
  // Not yet in the hot view: must come from the book.
  await api.append(bookStream('XEQT'), [trade(2)]);

  const source = await openEventSource(`${api.url}/v1/streams/symbols/XEQT`);
  await source.until((messages) => messages.length === 3);
  await api.append(bookStream('XEQT'), [noted, trade(3)]);
  await source.until((messages) => messages.length === 4);
  const newDepth = { ...XEQT.depth, sequence: 5, bids: [['30.49', '4']] };
  await api.marketData(101, { 'depth:XEQT': newDepth });
  await source.until((messages) => messages.length === 5);
  await source.close();

  const view = (number: number, sequence: number) => ({
    id: `XEQT-${number}`,
    symbol: 'XEQT',
    sequence,
    price: '30.50',
    qty: '5',
    taker_side: 'buy',
    executed_at: '2026-01-05T14:30:00.000Z',
  });
  expect(source.messages).toEqual([
    { event: 'depth', id: undefined, data: XEQT.depth },
    { event: 'trade', id: '2', data: lastTrade },
    { event: 'trade', id: '3', data: view(2, 3) },
    { event: 'trade', id: '5', data: view(3, 5) },
    { event: 'depth', id: undefined, data: newDepth },
  ]);
});

test('a market stream resumes behind the last trade', async () => {
  const source = await openEventSource(`${api.url}/v1/streams/symbols/XEQT`, { 'last-event-id': '3' });
  await source.until((messages) => messages.some(({ event }) => event === 'trade'));
  await source.close();
  expect(ids(source.messages.filter(({ event }) => event === 'trade'))).toEqual([5]);
});

test('depth is conflated: many changes in a moment become few messages, the newest among them', async () => {
  const source = await openEventSource(`${api.url}/v1/streams/symbols/XEQT`);
  await source.until((messages) => messages.length > 0);
  for (let sequence = 10; sequence < 60; sequence++) {
    await api.marketData(200 + sequence, { 'depth:XEQT': { ...XEQT.depth, sequence } });
  }
  const isLast = ({ event, data }: { event: string; data: unknown }) =>
    event === 'depth' && (data as { sequence: number }).sequence === 59;
  await source.until((messages) => messages.some(isLast));
  await source.close();
  expect(source.messages.filter(({ event }) => event === 'depth').length).toBeLessThan(50);
});

test('the number of streams of one client is bounded, and what ends makes room', async () => {
  const url = `${api.url}/v1/streams/symbols/XEQT`;
  const sources = await Promise.all(Array.from({ length: 100 }, () => openEventSource(url)));
  expect(sources.map(({ response }) => response.status)).toEqual(Array.from({ length: 100 }, () => 200));
  const refused = await fetch(url);
  expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([
    429,
    '1',
    expect.objectContaining({ code: 'TOO_MANY_STREAMS' }),
  ]);
  await Promise.all(sources.map((source) => source.close()));
  const again = await openEventSource(url);
  expect(again.response.status).toBe(200);
  await again.close();
});

test.for(['-1', '1e3', '0x10', '1.5', 'NaN', '5, 6', '9'.repeat(16), '__proto__', '"1"'])(
  'an id that is none is refused, wherever it stands: %s',
  async (id) => {
    for (const path of ['/v1/streams/symbols/XEQT', '/v1/streams/symbols/XEQT/trades']) {
      const asked = [
        await api.get(path, undefined, { 'last-event-id': id }),
        await api.get(`${path}?last_event_id=${encodeURIComponent(id)}`),
      ];
      expect(asked.map(({ status }) => status)).toEqual([400, 400]);
    }
  },
);
