import { accountStream, bookStream, type Fact, views } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { placed } from './market.ts';
import { ann, bob, idOf, startTestQueryApi, type TestQueryApi } from './queryApi.ts';

let api: TestQueryApi;
beforeAll(async () => {
  api = await startTestQueryApi();
});
afterAll(() => api.close());

const ref = { orderId: idOf('o1'), accountId: ann.accountId, revision: 0 };
const accepted: Fact = {
  type: 'OrderAccepted.v1',
  data: {
    order: ref,
    side: 'buy',
    type: 'limit',
    timeInForce: 'day',
    quantity: 10,
    limitTicks: 3050,
    restingQuantity: 10,
  },
};
const traded: Fact = {
  type: 'TradeExecuted.v1',
  data: {
    trade: 1,
    priceTicks: 3050,
    tickCents: 1,
    quantity: 10,
    takerSide: 'sell',
    maker: { ...ref, leaves: 0 },
    taker: { orderId: idOf('secret'), accountId: bob.accountId, revision: 0, leaves: 0 },
  },
};
const noise: Fact[] = Array.from({ length: 300 }, () => ({ type: 'InputNoted.v1', data: {} }));

test('an order’s life is told from its account and its book, from the event store itself', async () => {
  const first = await api.append(accountStream(ann.accountId), [placed('o1', ann)]);
  const second = await api.append(bookStream('XEQT'), [accepted]);
  await api.append(bookStream('XEQT'), noise);
  const third = await api.append(bookStream('XEQT'), [traded]);
  await api.insert('read.orders_v1', [
    {
      order_id: ref.orderId,
      client_order_id: null,
      account_id: ann.accountId,
      symbol: 'XEQT',
      side: 'buy',
      type: 'limit',
      time_in_force: 'day',
      quantity: 10,
      limit_cents: 3050,
      protection_cents: null,
      status: 'filled',
      filled_quantity: 10,
      filled_value_cents: 30_500,
      fees_cents: 0,
      leaves_quantity: 0,
      reason: null,
      created_at: '2026-01-05T14:30:00.000Z',
      updated_at: '2026-01-05T14:30:00.000Z',
      position: first,
      event_positions: [first, second, third],
      accepted: true,
      cancels_unanswered: 0,
      amends_unanswered: 0,
    },
  ]);

  const response = await api.get(`/v1/orders/${ref.orderId}/events`, ann);
  const text = await response.text();
  const { items } = views.page(views.OrderEventView).parse(JSON.parse(text));
  expect(items.map(({ event, source, position, status }) => [event, source, position, status])).toEqual([
    ['order_placed', 'account', first, 'pending_new'],
    ['order_accepted', 'book', second, 'new'],
    ['trade_executed', 'book', third, 'filled'],
  ]);
  expect(text).not.toContain(bob.accountId);
  expect(text).not.toContain(idOf('secret'));
});
