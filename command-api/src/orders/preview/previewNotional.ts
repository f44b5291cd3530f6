import { centsFromDecimal, type SymbolRules, type views } from '@brokerx/contracts';

/**
 * What an amount of money buys of the levels that are offered, the best ones first: in whole lots, none beyond the
 * limit. `wants`: what the rest would buy at the last price; 0 makes the order filled.
 */
export function boughtFor(
  notionalCents: number,
  limitCents: number,
  levels: views.DepthView['asks'],
  { lotShares = 1, orderSharesMax }: Pick<SymbolRules, 'lotShares' | 'orderSharesMax'>,
  matchingRules: number,
): { quantity: number; valueCents: number; bestCents: number; wants: number } {
  const found = { quantity: 0, valueCents: 0, bestCents: 0 };
  const buys = (priceCents: number) => {
    const money = Math.floor((notionalCents - found.valueCents) / priceCents);
    const shares = Math.min(money, orderSharesMax - found.quantity);
    const odd = matchingRules < 4 ? 0 : found.quantity % lotShares;
    return Math.max(0, shares - ((odd + shares) % lotShares));
  };
  let wants = buys(limitCents);
  for (const [price, quantity] of levels) {
    const priceCents = centsFromDecimal(price) ?? 0;
    if (priceCents > limitCents) break;
    wants = buys(priceCents);
    const taken = Math.min(wants, Number(quantity));
    if (taken === 0) break;
    if (found.quantity === 0) found.bestCents = priceCents;
    found.quantity += taken;
    found.valueCents += taken * priceCents;
    wants = buys(priceCents);
    if (wants === 0) break;
  }
  return { ...found, wants };
}
