import { decimalFromCents, entryRefusal, isStop, type RefusalCode, timeOf } from '@brokerx/contracts';
import { marketMs } from '../market/calendar.ts';
import { knownState, type Market } from '../market/market.ts';
import { type NewOrder, type NewOrders, timeInForceOf } from './newOrders.ts';
import { lastPrice, newerTerms, termsOf } from './price.ts';

/** The guards of entry: whether the market takes such an order now, under that name, for that time. */

type InMarket = { symbol: string; market: Market | undefined };

export const unknownSymbolRefusal = ({ symbol, market }: InMarket) =>
  market ? undefined : `symbol ${symbol}`;

export const haltedRefusal = ({ symbol, market }: InMarket) =>
  market && knownState(market) === 'halt' ? `symbol ${symbol}` : undefined;

export const closedRefusal = ({ symbol, market }: InMarket) =>
  market && knownState(market) === 'closed' ? `symbol ${symbol}` : undefined;

export function matchingRulesRefusal({ symbol, market, isList, orders }: NewOrders): string | undefined {
  if (!market) return undefined;
  const { matchingRules } = market;
  const asks = (terms: (order: NewOrder['order']) => boolean) => orders.some(({ order }) => terms(order));
  const missing =
    matchingRules < 2 && asks((order) => isStop(order.type) || Object.keys(termsOf(order)).length > 0)
      ? 'stops, gtd, post_only, min_qty and stp_mode need version 2'
      : matchingRules < 3 && asks(({ time_in_force: time }) => time === 'opg' || time === 'cls')
        ? 'opg and cls need version 3'
        : matchingRules < 3 && asks((order) => Object.keys(newerTerms(order)).length > 0)
          ? 'display_qty and notional need version 3'
          : matchingRules < 3 && isList
            ? 'lists need version 3'
            : undefined;
  return missing && `${symbol} follows version ${matchingRules}; ${missing}`;
}

export function nameRefusal({ account, orders }: NewOrders): string | undefined {
  const names = orders.flatMap(({ order: { client_order_id } }) => client_order_id ?? []);
  const taken = names.find((name) => account.names.has(name));
  if (taken !== undefined) return `client_order_id ${taken}`;
  const twice = names.find((name, index) => names.indexOf(name) < index);
  return twice === undefined ? undefined : `client_order_id ${twice} twice in one list`;
}

export function timeInForceRefusal(newOrder: NewOrder): string | undefined {
  const { type, time_in_force: time } = newOrder.order;
  if (type === 'market' && (time === 'gtc' || time === 'gtd')) {
    return `a market order takes ioc or fok (day means ioc), not ${time}`;
  }
  if (isStop(type) && time !== 'day' && time !== 'gtc' && time !== 'gtd') {
    return `a ${type} order takes day, gtc or gtd, not ${time}`;
  }
  return undefined;
}

/** The guard of what the market does at the moment; unless nobody knows it, then the engine decides. */
export const marketStateRefusal =
  (code: RefusalCode) =>
  ({ order, priced, market }: NewOrder): string | undefined => {
    const state = knownState(market);
    if (market.matchingRules < 3 || state === null) return undefined;
    const { type, time_in_force: time } = order;
    const terms = { ...priced.terms, type, timeInForce: timeInForceOf(order, market) };
    return entryRefusal(terms, state) === code
      ? `${type} ${time}; ${market.symbol} is in ${state}`
      : undefined;
  };

/** The longest that an order may stand: a year, and a day for a leap year's sake. */
const EXPIRES_WITHIN_MS = 366 * 24 * 3_600_000;

export function expiresAtRefusal({ market, priced, nowMs }: NewOrder): string | undefined {
  const { expiresAt } = priced.terms;
  const now = marketMs(market, nowMs);
  const [earliest, latest] = [timeOf(now), timeOf(now + EXPIRES_WITHIN_MS)];
  if (expiresAt === undefined || (expiresAt > earliest && expiresAt <= latest)) return undefined;
  return `expires_at ${expiresAt}; from ${earliest} to ${latest}`;
}

export function triggerRefusal({ market, side, stopTicks, waitsForEntry }: NewOrder): string | undefined {
  // Nothing triggers while nothing is traded.
  if (stopTicks === undefined || waitsForEntry || knownState(market) !== 'continuous') return undefined;
  const last = lastPrice(market);
  if (side === 'buy' ? last < stopTicks : last > stopTicks) return undefined;
  const money = (inTicks: number) => decimalFromCents(inTicks * market.rules.tickCents);
  return `stop price ${money(stopTicks)}; the last price of ${market.symbol} is ${money(last)}`;
}
