import { collarTicks, collarTicksLeast, ticks } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import type { Market } from '../market/market.ts';

/** The entry collar: the prices around the static reference that the market takes as limits. */
export const collarOf = (market: Market): { low: number; high: number } =>
  collarAround(market, market.referenceTicks);

/** As wide as the entry collar, around another price. */
export function collarAround(
  { rules, matchingRules }: Pick<Market, 'rules' | 'matchingRules'>,
  aroundTicks: number,
): { low: number; high: number } {
  const least = collarTicksLeast(rules, matchingRules);
  const end = (direction: 'down' | 'up') =>
    collarTicks(ticks(aroundTicks), rules.collarPpm, direction, least);
  return { low: end('down'), high: end('up') };
}

/** Whether price bands are switched off for the account or the symbol. */
export const bandExempt = (account: Account, market: Market): boolean => account.bandsOff || market.bandsOff;
