import type { Fact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import type { RawEvent } from '../src/audit/rawEvent.ts';
import { findings, id, openAccounts, writer } from './writtenHistory.ts';

/** A written bracket that the audit must accept, and changes of it that it must find. */
const [BOB, ANN] = [id(1), id(2)];
const [ENTRY, PROFIT, LOSS, OFFER] = [id(10), id(11), id(12), id(13)];

type Change = [type: RawEvent['type'], nth: number, data: object];

/** Ann wants 4 at 10.00, to be sold at 10.20 or 9.80; Bob sells them to her, and both of her others are armed. */
function historyWith(change?: Change): RawEvent[] {
  const { events, write } = writer();
  openAccounts(write, { seller: BOB, buyer: ANN, shares: 10 });
  const [ann, bob, book] = [`account-${ANN}`, `account-${BOB}`, 'book-ACME'];
  const as = (fact: unknown) => fact as Fact;
  const ref = (orderId: string, accountId: string) => ({ orderId, accountId, revision: 2 });
  const common = { symbol: 'ACME', tickCents: 1, referenceTicks: 1_000, feePpm: 0, bandExempt: false };
  const entry = { side: 'buy', type: 'limit', timeInForce: 'gtc', limitTicks: 1_000 };
  const profit = { side: 'sell', type: 'limit', timeInForce: 'gtc', limitTicks: 1_020 };
  const loss = { side: 'sell', type: 'stop', timeInForce: 'gtc', limitTicks: 800 };
  const orders = [
    { orderId: ENTRY, clientOrderId: null, role: 'entry', ...entry },
    { orderId: PROFIT, clientOrderId: null, role: 'take_profit', ...profit },
    { orderId: LOSS, clientOrderId: null, role: 'stop_loss', ...loss, stopTicks: 980 },
  ];
  const list = { listId: id(20), accountId: ANN, kind: 'bracket', ...common, quantity: 4 };
  const placed = write(
    ann,
    as({ type: 'OrderListPlaced.v1', data: { ...list, holdCents: 4_000, holdShares: 0, orders } }),
  );
  const enters = (
    type: 'OrderAccepted.v1' | 'OrderActivated.v1',
    orderId: string,
    terms: object,
    more: object,
    cause: RawEvent,
  ) => {
    const order = ref(orderId, orderId === OFFER ? BOB : ANN);
    write(book, as({ type, data: { order, ...terms, quantity: 4, restingQuantity: 0, ...more } }), cause);
  };
  for (const [orderId, terms] of [
    [PROFIT, profit],
    [LOSS, loss],
  ] as const)
    enters('OrderAccepted.v1', orderId, terms, { held: true, dormant: true }, placed);
  enters('OrderAccepted.v1', ENTRY, entry, { restingQuantity: 4 }, placed);
  const offer = { side: 'sell', type: 'limit', timeInForce: 'day', limitTicks: 1_000 };
  const offered = { orderId: OFFER, accountId: BOB, clientOrderId: null, ...common, ...offer, quantity: 4 };
  const sale = write(bob, as({ type: 'OrderPlaced.v1', data: { ...offered, holdCents: 0, holdShares: 4 } }));
  enters('OrderAccepted.v1', OFFER, offer, {}, sale);
  const trade = { trade: 1, priceTicks: 1_000, tickCents: 1, quantity: 4, takerSide: 'sell' };
  const parties = { maker: { ...ref(ENTRY, ANN), leaves: 0 }, taker: { ...ref(OFFER, BOB), leaves: 0 } };
  write(book, as({ type: 'TradeExecuted.v1', data: { ...trade, ...parties } }), sale);
  enters('OrderActivated.v1', LOSS, loss, { held: true }, sale);
  enters('OrderActivated.v1', PROFIT, profit, { restingQuantity: 4 }, sale);
  const fill = (side: 'buy' | 'sell', more: object) =>
    write(
      side === 'buy' ? ann : bob,
      as({
        type: 'OrderFilled.v1',
        data: {
          orderId: side === 'buy' ? ENTRY : OFFER,
          symbol: 'ACME',
          side,
          sequence: 4,
          releasedCents: 0,
          releasedShares: 0,
          tradeId: 'ACME-1',
          liquidity: side === 'buy' ? 'maker' : 'taker',
          priceTicks: 1_000,
          tickCents: 1,
          quantity: 4,
          valueCents: 4_000,
          feeCents: 0,
          filledQuantity: 4,
          filledValueCents: 4_000,
          feesCents: 0,
          leavesQuantity: 0,
          closes: true,
          tradedAt: '2026-01-05T14:30:00.000Z',
          ...more,
        },
      }),
    );
  fill('buy', { heldShares: 4 });
  fill('sell', {});
  const armed = (orderId: string, sequence: number) =>
    write(
      ann,
      as({
        type: 'OrderArmed.v1',
        data: { orderId, symbol: 'ACME', side: 'sell', sequence, quantity: 4 },
      }),
    );
  armed(LOSS, 5);
  armed(PROFIT, 6);
  if (!change) return events;
  const [type, nth, data] = change;
  const index = events.indexOf(events.filter((event) => event.type === type)[nth] as RawEvent);
  return events.with(index, { ...events[index], data: { ...events[index]?.data, ...data } } as RawEvent);
}

test('a bracket whose entry is filled, and whose others are armed for it, passes', () => {
  expect(findings(historyWith())).toEqual([]);
});

test.for<[what: string, change: Change]>([
  ['a bracket that holds too little for its entry', ['OrderListPlaced.v1', 0, { holdCents: 3_999 }]],
  ['a bracket that holds shares that it does not have', ['OrderListPlaced.v1', 0, { holdShares: 4 }]],
  ['bought shares that become free', ['OrderFilled.v1', 0, { heldShares: undefined }]],
  ['more bought shares held than were bought', ['OrderFilled.v1', 0, { heldShares: 5 }]],
  ['an order that sells before its entry has ended', ['OrderAccepted.v1', 0, { dormant: undefined }]],
  ['an order activated for more than was bought', ['OrderActivated.v1', 1, { quantity: 5 }]],
  ['an order armed for more than was bought', ['OrderArmed.v1', 1, { quantity: 5 }]],
])('the audit finds %s', ([, change]) => {
  expect(findings(historyWith(change)).length).toBeGreaterThan(0);
});
