import { decimalFromCents } from '@brokerx/contracts';
import { type Account, availableCents, availableShares } from '../account/account.ts';
import { RATE_WINDOW_MS, ratesAt } from '../account/rates.ts';
import type { Market } from '../market/market.ts';
import type { Refusal } from '../refusal.ts';

/** The guards of an account: its kill switch, its quotas, and what it can hold for orders. */

/** Bounds what one account can make the book hold, and one settlement of a cancel-all. */
export const OPEN_ORDERS_MAX = 200;
/** Orders placed and not filled in a minute; a fill gives one back, a cancel does not. */
export const UNFILLED_ORDERS_MAX = 1_000;

export function killSwitchRefusal({ account: { killed } }: { account: Account }): string | undefined {
  if (!killed) return undefined;
  return `activated by the ${killed.by}${killed.reason === null ? '' : `: ${killed.reason}`}`;
}

type Placing = { account: Account; market: Market | undefined; nowMs: number; orders: readonly unknown[] };

export function openOrdersRefusal({ account, market, orders }: Placing): string | undefined {
  const count = account.orders.size;
  if (quotasOff(account, market) || count + orders.length <= OPEN_ORDERS_MAX) return undefined;
  return `${count} open; the most is ${OPEN_ORDERS_MAX}`;
}

export function orderRateRefusal({ account, market, nowMs, orders }: Placing): string | undefined {
  const { unfilled } = ratesAt(account.rates, nowMs);
  if (quotasOff(account, market) || unfilled + orders.length <= UNFILLED_ORDERS_MAX) return undefined;
  return `${UNFILLED_ORDERS_MAX} orders in ${RATE_WINDOW_MS / 1_000} s were placed and not filled`;
}

const quotasOff = (account: Account, market: Market | undefined): boolean =>
  account.quotasOff || market?.quotasOff === true;

type Holding = {
  account: Account;
  symbol: string;
  holdCents: number;
  holdShares: number;
  /** Whether this comes on top of what the order holds already. */
  addsToHold: boolean;
};

export function fundsRefusal({ account, holdCents, addsToHold }: Holding): string | undefined {
  const available = availableCents(account);
  if (holdCents <= available) return undefined;
  const needed = `${decimalFromCents(holdCents)}${addsToHold ? ' more' : ''}`;
  return `needs ${needed} with fees; available ${decimalFromCents(available)}`;
}

export function sharesRefusal({ account, symbol, holdShares, addsToHold }: Holding): string | undefined {
  const available = availableShares(account, symbol);
  if (holdShares <= available) return undefined;
  return `needs ${holdShares} ${symbol}${addsToHold ? ' more' : ''}; available ${available}`;
}

/** Why an order that is not among the open ones can be neither changed nor canceled. */
export function notOpenRefusal(account: Account, orderId: string): Refusal {
  return account.closed.has(orderId)
    ? { code: 'ORDER_NOT_OPEN', detail: `order ${orderId}` }
    : { code: 'ORDER_NOT_FOUND', detail: `this account has no open order ${orderId}` };
}
