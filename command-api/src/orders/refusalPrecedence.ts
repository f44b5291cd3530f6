import type { RefusalCode } from '@brokerx/contracts';
import type { Refusal } from '../refusal.ts';
import {
  fundsRefusal,
  killSwitchRefusal,
  openOrdersRefusal,
  orderRateRefusal,
  sharesRefusal,
} from './accountRefusals.ts';
import {
  type Change,
  changeTypeRefusal,
  listRefusal,
  noChangeRefusal,
  pendingRefusal,
  reductionRefusal,
} from './amendRefusals.ts';
import {
  closedRefusal,
  expiresAtRefusal,
  haltedRefusal,
  marketStateRefusal,
  matchingRulesRefusal,
  nameRefusal,
  timeInForceRefusal,
  triggerRefusal,
  unknownSymbolRefusal,
} from './entryRefusals.ts';
import type { NewOrders } from './newOrders.ts';
import {
  type CheckedOrder,
  icebergPeaksRefusal,
  lotStepRefusal,
  maxNotionalRefusal,
  minNotionalRefusal,
  orderSizeRefusal,
  priceBandRefusal,
  priceTickRefusal,
} from './termsRefusals.ts';

/**
 * Every guard of an order, one a line, in the order of `contracts/src/base/refusals.ts`: the first one that has
 * something to say names the refusal. A guard returns the refusal's detail, or undefined, and relies on no other guard.
 */
export type Ladder<Question> = readonly (readonly [
  code: RefusalCode,
  guard: (question: Question) => string | undefined,
])[];

export function firstRefusal<Question>(ladder: Ladder<Question>, question: Question): Refusal | undefined {
  for (const [code, guard] of ladder) {
    const detail = guard(question);
    if (detail !== undefined) return { code, detail };
  }
  return undefined;
}

/** Asks the guard about each order; the first order that is refused gives the detail. */
function each<Order>(guard: (order: Order) => string | undefined) {
  return ({ orders }: { orders: readonly Order[] }): string | undefined => {
    for (const order of orders) {
      const detail = guard(order);
      if (detail !== undefined) return detail;
    }
    return undefined;
  };
}

/** What the rules of the symbol say of an order's own terms, whether it is new or changed. */
const TERMS_GUARDS: Ladder<{ orders: readonly CheckedOrder[] }> = [
  ['ORDER_SIZE', each(orderSizeRefusal)],
  ['LOT_STEP', each(lotStepRefusal)],
  ['PRICE_TICK', each(priceTickRefusal)],
  ['PRICE_BAND', each(priceBandRefusal)],
  ['MIN_NOTIONAL', each(minNotionalRefusal)],
  ['MAX_NOTIONAL', each(maxNotionalRefusal)],
  ['ICEBERG_PEAKS', each(icebergPeaksRefusal)],
];

/** For a new order, or all orders of a new list. */
export const NEW_ORDER_LADDER: Ladder<NewOrders> = [
  ['KILL_SWITCH', killSwitchRefusal],
  ['UNKNOWN_SYMBOL', unknownSymbolRefusal],
  ['SYMBOL_HALTED', haltedRefusal],
  ['MARKET_CLOSED', closedRefusal],
  ['MATCHING_RULES', matchingRulesRefusal],
  ['DUPLICATE_CLIENT_ORDER_ID', nameRefusal],
  ...TERMS_GUARDS,
  ['TIME_IN_FORCE', each(timeInForceRefusal)],
  ['OPENING_OVER', each(marketStateRefusal('OPENING_OVER'))],
  ['NOT_IN_AUCTION', each(marketStateRefusal('NOT_IN_AUCTION'))],
  ['EXPIRES_AT', each(expiresAtRefusal)],
  ['WOULD_TRIGGER_IMMEDIATELY', each(triggerRefusal)],
  ['MAX_OPEN_ORDERS', openOrdersRefusal],
  ['ORDER_RATE', orderRateRefusal],
  ['INSUFFICIENT_FUNDS', fundsRefusal],
  ['INSUFFICIENT_SHARES', sharesRefusal],
];

/** For a change of an open order. One that ends the order has no terms to check: ending is always allowed. */
export const CHANGE_LADDER: Ladder<Change> = [
  ['KILL_SWITCH', killSwitchRefusal],
  ['SYMBOL_HALTED', haltedRefusal],
  ['MARKET_CLOSED', closedRefusal],
  ['AMEND_PENDING', pendingRefusal],
  ['ORDER_LIST', listRefusal],
  ['ORDER_TYPE', changeTypeRefusal],
  ['AMEND_NO_CHANGE', noChangeRefusal],
  ['AMEND_NOT_A_REDUCTION', reductionRefusal],
  ...TERMS_GUARDS,
  ['INSUFFICIENT_FUNDS', fundsRefusal],
  ['INSUFFICIENT_SHARES', sharesRefusal],
];
