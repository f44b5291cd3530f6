import { type BookFact, type Fact, marketStream } from '@brokerx/contracts';
import {
  orderAccepted,
  orderPlaced,
  orderRef,
  symbolListed,
  symbolRules,
  tradeExecuted,
} from '@brokerx/contracts/testing/facts.ts';
import { ann, bob, idOf, type Person, type TestQueryApi } from './queryApi.ts';

/** What the streams of a market say, for tests: Ann's orders rest, Bob sells to them at 29.90. */
export async function list(to: TestQueryApi, symbol: string): Promise<void> {
  const rules = symbolRules({ listingTicks: 3_000, feePpm: 500, orderSharesMax: 1_000_000 });
  await to.append(marketStream(symbol), [symbolListed({ symbol, name: `The ${symbol}`, rules })]);
}
export const rests = (name: string, side: 'buy' | 'sell', limitTicks: number, quantity: number): BookFact =>
  orderAccepted({
    order: orderRef({ orderId: idOf(name), accountId: ann.accountId }),
    side,
    limitTicks,
    quantity,
  });
export function sells(number: number, maker: string, quantity: number): BookFact[] {
  const order = orderRef({ orderId: idOf(`taker ${number}`), accountId: bob.accountId });
  const terms = { side: 'sell', timeInForce: 'ioc', limitTicks: 2_000, restingQuantity: 0 } as const;
  const resting = orderRef({ orderId: idOf(maker), accountId: ann.accountId });
  return [
    orderAccepted({ order, quantity, ...terms }),
    tradeExecuted({
      trade: number,
      priceTicks: 2_990,
      quantity,
      maker: { ...resting, leaves: 0 },
      taker: { ...order, leaves: 0 },
    }),
  ];
}
/** Somebody's order for 10 at 30.50. */
export const placed = (name: string, person: Person): Fact =>
  orderPlaced({
    orderId: idOf(name),
    accountId: person.accountId,
    clientOrderId: name,
    symbol: 'XEQT',
    limitTicks: 3_050,
    referenceTicks: 3_000,
    feePpm: 500,
    holdCents: 30_516,
  });
