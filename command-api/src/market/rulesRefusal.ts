import {
  collarTicks,
  collarTicksLeast,
  decimalFromCents,
  MATCHING_RULES_VERSION,
  type SymbolRules,
  ticks,
} from '@brokerx/contracts';

/** Sizes that are tried before rules count as such that leave room for an order; each is a few divisions. */
const SIZES_TRIED_MAX = 100_000;

/** Why by these rules of a symbol no buy could ever be placed around its listing price; undefined where one could. */
export function rulesRefusal(rules: SymbolRules): string | undefined {
  const { tickCents, orderSharesMax, lotShares = 1, notionalMinCents, notionalMaxCents } = rules;
  if (lotShares > orderSharesMax) return `lot_size ${lotShares} is above order_qty_max ${orderSharesMax}`;
  const least = notionalMinCents ?? 0;
  const most = notionalMaxCents ?? Number.MAX_SAFE_INTEGER;
  const money = decimalFromCents;
  if (least > most) return `notional_min ${money(least)} is above notional_max ${money(most)}`;
  const reach = collarTicksLeast(rules, MATCHING_RULES_VERSION);
  const end = (direction: 'down' | 'up') =>
    collarTicks(ticks(rules.listingTicks), rules.collarPpm, direction, reach);
  const [lowTicks, highTicks] = [end('down'), end('up')];
  const lots = Math.floor(orderSharesMax / lotShares);
  const lotTickCents = lotShares * tickCents;
  const cheapest = lowTicks * lotTickCents;
  if (cheapest > most)
    return `notional_max ${money(most)}; the smallest order at the lowest price is worth ${money(cheapest)}`;
  const dearest = highTicks * lotTickCents * lots;
  if (dearest < least)
    return `notional_min ${money(least)}; the largest order at the highest price is worth ${money(dearest)}`;
  const first = Math.max(1, Math.ceil(least / (highTicks * lotTickCents)));
  for (let size = first; size <= lots && size * cheapest <= most; size++) {
    const price = Math.max(lowTicks, Math.ceil(least / (size * lotTickCents)));
    if (price * size * lotTickCents <= most || size - first > SIZES_TRIED_MAX) return undefined;
  }
  return `no price times quantity lies within notional_min ${money(least)} and notional_max ${money(most)}`;
}
