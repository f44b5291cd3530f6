import type { SymbolRules } from '@brokerx/contracts';
import type { AuditedOrder } from '../order.ts';
import type { RawEvent } from '../rawEvent.ts';

/**
 * The trade band of one book: no trade of an input lies further from the last price before that input than the rules
 * say, but for who is exempt. What rests without a limit of its own, or the rest of a stop, does so for an auction.
 */
export function auditedBands(wrong: (event: RawEvent, what: string) => void) {
  let rules: Pick<SymbolRules, 'bandPpm' | 'listingTicks'> | undefined;
  let version = 0;
  let off = false;
  let last = 0;
  /** As it was before the first trade of this input. */
  let frozen: { low: number; high: number } | undefined;
  let joins: RawEvent | undefined;
  /** Whether a trade at this price would be outside, by the price before this input. */
  const isOutside = (ticks: number): boolean => {
    const ppm = rules?.bandPpm;
    if (ppm === undefined || version < 3 || off) return false;
    const around = last || (rules?.listingTicks ?? 0);
    const exact = Number((BigInt(around) * BigInt(ppm)) / 1_000_000n);
    const step = version < 4 ? exact : Math.max(1, exact);
    frozen ??= { low: Math.max(1, around - step), high: around + step };
    return ticks < frozen.low || ticks > frozen.high;
  };
  return {
    isOutside,
    market(event: RawEvent): void {
      if (event.type === 'SymbolListed.v1') ({ rules, matchingRules: version } = event.data);
      if (event.type === 'MatchingRulesAdopted.v1') version = event.data.matchingRules;
      if (event.type === 'SymbolExemptionsChanged.v1') off = event.data.bandsOff;
      if (event.type === 'DayEnded.v1' && last === 0 && rules)
        rules = { ...rules, listingTicks: event.data.closeTicks };
    },
    traded(event: Extract<RawEvent, { type: 'TradeExecuted.v1' }>, taker: AuditedOrder | undefined): void {
      const { priceTicks, auction } = event.data;
      if (!auction && isOutside(priceTicks) && !taker?.bandExempt)
        wrong(event, `the trade at ${priceTicks} is outside ${frozen?.low} to ${frozen?.high}`);
      last = priceTicks;
    },
    /** It rests as only an order in a call does. */
    mustGather(event: RawEvent): void {
      joins = event;
    },
    inputDone(gathers: boolean): void {
      if (joins && !gathers) wrong(joins, 'it rests, and there is no auction for it');
      joins = undefined;
      frozen = undefined;
    },
  };
}
