import { type BookFact, type Fact, marketStream } from '@brokerx/contracts';
import { ann, bob, idOf, type Person, type TestQueryApi } from './queryApi.ts';

/** What the streams of a market say, for tests: Ann's orders rest, Bob sells to them at 29.90. */
export async function list(to: TestQueryApi, symbol: string): Promise<void> {
  const rules = {
    tickCents: 1,
    listingTicks: 3_000,
    collarPpm: 100_000,
    feePpm: 500,
    orderSharesMax: 1_000_000,
    dailyClose: '21:00',
  };
  const name = `The ${symbol}`;
  await to.append(marketStream(symbol), [
    { type: 'SymbolListed.v1', data: { symbol, name, rules, matchingRules: 2 } },
  ]);
}
export const rests = (
  name: string,
  side: 'buy' | 'sell',
  limitTicks: number,
  quantity: number,
): BookFact => ({
  type: 'OrderAccepted.v1',
  data: {
    order: { orderId: idOf(name), accountId: ann.accountId, revision: 1 },
    side,
    type: 'limit',
    timeInForce: 'day',
    quantity,
    limitTicks,
    restingQuantity: quantity,
  },
});
export const sells = (number: number, maker: string, quantity: number): BookFact[] => [
  {
    type: 'OrderAccepted.v1',
    data: {
      order: { orderId: idOf(`taker ${number}`), accountId: bob.accountId, revision: 1 },
      side: 'sell',
      type: 'limit',
      timeInForce: 'ioc',
      quantity,
      limitTicks: 2_000,
      restingQuantity: 0,
    },
  },
  {
    type: 'TradeExecuted.v1',
    data: {
      trade: number,
      priceTicks: 2_990,
      tickCents: 1,
      quantity,
      takerSide: 'sell',
      maker: { orderId: idOf(maker), accountId: ann.accountId, revision: 1, leaves: 0 },
      taker: { orderId: idOf(`taker ${number}`), accountId: bob.accountId, revision: 1, leaves: 0 },
    },
  },
];
/** Somebody's order for 10 at 30.50. */
export const placed = (name: string, person: Person): Fact => ({
  type: 'OrderPlaced.v1',
  data: {
    orderId: idOf(name),
    accountId: person.accountId,
    clientOrderId: name,
    symbol: 'XEQT',
    side: 'buy',
    type: 'limit',
    timeInForce: 'day',
    quantity: 10,
    limitTicks: 3050,
    tickCents: 1,
    referenceTicks: 3000,
    bandExempt: false,
    feePpm: 500,
    holdCents: 30_516,
    holdShares: 0,
  },
});
