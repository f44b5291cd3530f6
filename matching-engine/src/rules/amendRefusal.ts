import type { EventOf, RefusalCode } from '@brokerx/contracts';
import type { Engine } from './state.ts';

/** Why the symbol's rules refuse an amended quantity and price; undefined when they do not. */
export function amendRefusal(
  { listing, bandsOff }: Engine,
  { quantity, bandExempt }: EventOf<'OrderAmendRequested.v1'>['data'],
  { side, limitTicks, moves }: { side: 'buy' | 'sell'; limitTicks: number; moves: boolean },
): RefusalCode | undefined {
  if (!listing) return 'UNKNOWN_SYMBOL';
  const { rules, collar } = listing;
  if (quantity < 1 || quantity > rules.orderSharesMax) return 'ORDER_SIZE';
  if (side === 'buy' && rules.lotShares !== undefined && quantity % rules.lotShares !== 0) return 'LOT_STEP';
  if (limitTicks < 1) return 'PRICE_TICK';
  const isCollared = moves && !bandExempt && !bandsOff;
  if (isCollared && (limitTicks < collar.lowTicks || limitTicks > collar.highTicks)) return 'PRICE_BAND';
  if (rules.notionalMinCents !== undefined || rules.notionalMaxCents !== undefined) {
    const value = limitTicks * rules.tickCents * quantity;
    if (side === 'buy' && value < (rules.notionalMinCents ?? 0)) return 'MIN_NOTIONAL';
    if (value > (rules.notionalMaxCents ?? value)) return 'MAX_NOTIONAL';
  }
  return undefined;
}
