import {
  averagePriceDecimal,
  cents,
  centsFromDecimal,
  decimalFromCents,
  feeCents,
  hasLimit,
  isStop,
  type MarketState,
  type PlaceOrder,
  type SymbolRules,
  type views,
  waitsForClosing,
} from '@brokerx/contracts';
import type { FactOf } from '../../commands/facts.ts';
import { boughtFor } from './previewNotional.ts';

/** The market data that a preview needs besides the decision; the state is null if it is unknown. */
type Shown = {
  depth: views.DepthView;
  rules: Pick<SymbolRules, 'lotShares' | 'orderSharesMax'>;
  matchingRules: number;
  /** Prices in cents outside which a trade does not happen; null: none is. */
  band: { low: number; high: number } | null;
  state: MarketState | null;
};

/**
 * Previews what an order would do if it were placed now. `decided` is the real decision about the order, so checks and
 * holds are exact. The fill is an estimate from the levels of the depth, which lack hidden quantity and later changes.
 * Orders of the same account count like any other.
 */
export function previewOrder(
  order: PlaceOrder,
  decided: FactOf<'OrderPlaced.v1'> | FactOf<'OrderRefused.v1'>,
  { depth: shown, rules, matchingRules, band, state }: Shown,
): views.OrderPreviewView {
  const { symbol, side, type } = order;
  const { timeInForce } = decided.data;
  const asked = { symbol, side, type, time_in_force: timeInForce };
  if (decided.type === 'OrderRefused.v1') {
    const { code, detail } = decided.data;
    return { ...asked, code, detail, ...NOTHING };
  }
  const { limitTicks, tickCents, holdCents, holdShares, postOnly, notionalCents } = decided.data;
  const limitCents = limitTicks * tickCents;
  const depth = decided.data.bandExempt ? shown : withinBand(shown, band);
  // While orders gather, none meets another before the auction.
  const gathers = state !== null && state !== 'continuous';
  const found = gathers
    ? NOT_FOUND
    : notionalCents === undefined
      ? fill(decided.data, side === 'buy' ? depth.asks : depth.bids)
      : boughtFor(notionalCents, limitCents, depth.asks, rules, matchingRules);
  if (postOnly && found.quantity > 0) {
    const best = decimalFromCents(found.bestCents);
    return { ...asked, code: 'WOULD_TAKE', detail: `it would trade at ${best} at once`, ...NOTHING };
  }
  const price = decimalFromCents(limitCents);
  return {
    ...asked,
    code: null,
    detail: null,
    limit_price: hasLimit(type) ? price : null,
    protection_price: hasLimit(type) ? null : price,
    hold_cash: decimalFromCents(holdCents),
    hold_qty: String(holdShares),
    expected: expected(decided.data, found, { stopped: depth !== shown, sequence: depth.sequence, state }),
  };
}

const NOTHING = {
  limit_price: null,
  protection_price: null,
  hold_cash: null,
  hold_qty: null,
  expected: null,
} as const;

/** The depth up to the first price on each side at which a trade would start an auction instead; itself without one. */
function withinBand(depth: views.DepthView, band: Shown['band']): views.DepthView {
  const outside = ([price]: readonly [string, string]) => {
    const priceCents = centsFromDecimal(price) ?? 0;
    return band !== null && (priceCents < band.low || priceCents > band.high);
  };
  const [bid, ask] = [depth.bids.findIndex(outside), depth.asks.findIndex(outside)];
  if (bid < 0 && ask < 0) return depth;
  const upTo = (levels: views.DepthView['bids'], first: number) =>
    first < 0 ? levels : levels.slice(0, first);
  return { ...depth, bids: upTo(depth.bids, bid), asks: upTo(depth.asks, ask) };
}

type Placed = FactOf<'OrderPlaced.v1'>['data'];
/** `wants`: of an order for an amount of money, what the rest of it would buy. */
type Found = { quantity: number; valueCents: number; bestCents: number; wants?: number };
const NOT_FOUND: Found = { quantity: 0, valueCents: 0, bestCents: 0 };

/** What the levels of the other side give at once, the best ones first; a sweep that must not happen gives nothing. */
function fill(order: Placed, levels: views.DepthView['bids']): Found {
  if (isStop(order.type)) return NOT_FOUND;
  const limitCents = order.limitTicks * order.tickCents;
  const found = { ...NOT_FOUND };
  for (const [price, quantity] of levels) {
    const priceCents = centsFromDecimal(price) ?? 0;
    const isWithin = order.side === 'buy' ? priceCents <= limitCents : priceCents >= limitCents;
    const taken = Math.min(order.quantity - found.quantity, Number(quantity));
    if (!isWithin || taken === 0) break;
    if (found.quantity === 0) found.bestCents = priceCents;
    found.quantity += taken;
    found.valueCents += taken * priceCents;
  }
  const least = order.timeInForce === 'fok' ? order.quantity : (order.minQuantity ?? 0);
  return found.quantity < least ? NOT_FOUND : found;
}

function expected(
  order: Placed,
  found: Found,
  { sequence, state, stopped }: { sequence: number; state: MarketState | null; stopped: boolean },
): views.OrderPreviewView['expected'] {
  const { type, timeInForce, feePpm, quantity, minQuantity = 0 } = order;
  const leaves = found.wants ?? quantity - found.quantity;
  const waits = isStop(type) || waitsForClosing(order, state ?? 'continuous');
  const atOnce =
    (type === 'market' && (state ?? 'continuous') === 'continuous' && !stopped) ||
    timeInForce === 'ioc' ||
    timeInForce === 'fok';
  const failed = found.quantity < minQuantity;
  return {
    sequence,
    filled_qty: String(found.quantity),
    filled_avg_price: averagePriceDecimal(found.valueCents, found.quantity),
    value: decimalFromCents(found.valueCents),
    fees: decimalFromCents(feeCents(cents(found.valueCents), feePpm)),
    leaves_qty: String(leaves),
    leaves: leaves === 0 ? 'none' : waits ? 'waits' : atOnce || failed ? 'expires' : 'rests',
  };
}
