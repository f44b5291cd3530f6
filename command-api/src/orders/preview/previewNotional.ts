import { centsFromDecimal, type SymbolRules, type views } from '@brokerx/contracts';

type Bought = { quantity: number; valueCents: number; bestCents: number; wants: number };

/**
 * What an amount of money buys of the levels that are offered, the best ones first: so that the whole is lots, none beyond
 * the limit. `wants`: what the rest would buy at the last price; 0 makes the order filled.
 */
export function boughtFor(
  notionalCents: number,
  limitCents: number,
  levels: views.DepthView['asks'],
  rules: Pick<SymbolRules, 'lotShares' | 'orderSharesMax'>,
  matchingRules: number,
): Bought {
  const sweep = (most: number) =>
    sweepOf(notionalCents, limitCents, levels, { ...rules, matchingRules, most });
  const found = sweep(Number.POSITIVE_INFINITY);
  const beyond = matchingRules < 4 ? 0 : found.quantity % (rules.lotShares ?? 1);
  // Odd rests are not begun where they are no lot together; why there are no more stays the same.
  return beyond === 0 ? found : { ...sweep(found.quantity - beyond), wants: found.wants };
}

function sweepOf(
  notionalCents: number,
  limitCents: number,
  levels: views.DepthView['asks'],
  rules: Pick<SymbolRules, 'lotShares' | 'orderSharesMax'> & { matchingRules: number; most: number },
): Bought {
  const { lotShares = 1, orderSharesMax, matchingRules, most } = rules;
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
    const taken = Math.min(wants, Number(quantity), most - found.quantity);
    if (taken === 0) break;
    if (found.quantity === 0) found.bestCents = priceCents;
    found.quantity += taken;
    found.valueCents += taken * priceCents;
    wants = buys(priceCents);
    if (wants === 0) break;
  }
  return { ...found, wants };
}
