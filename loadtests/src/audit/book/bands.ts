import type { SymbolRules } from '@brokerx/contracts';
import type { AuditedOrder } from '../order.ts';
import type { RawEvent, RawEventOf } from '../rawEvent.ts';

/**
 * Checks the trade band of a book. No trade of an input may be further from the last price before that input than the rules
 * allow, unless its taker is exempt. A market order or a triggered stop without a limit rests only if an auction is to come.
 */
export function auditedBands(wrong: (event: RawEvent, what: string) => void) {
  let rules: Pick<SymbolRules, 'bandPpm' | 'listingTicks'> | undefined;
  let version = 0;
  let isOff = false;
  let lastTicks = 0;
  /** The band during this input, from the last price before it. */
  let band: { low: number; high: number } | undefined;
  /** The event by which an order came to rest for an auction in this input. */
  let gathering: RawEvent | undefined;

  /** Whether a trade at this price would be outside the band. */
  const isOutside = (ticks: number): boolean => {
    const ppm = rules?.bandPpm;
    if (ppm === undefined || version < 3 || isOff) return false;
    const center = lastTicks || (rules?.listingTicks ?? 0);
    const width = Number((BigInt(center) * BigInt(ppm)) / 1_000_000n);
    const step = version < 4 ? width : Math.max(1, width);
    band ??= { low: Math.max(1, center - step), high: center + step };
    return ticks < band.low || ticks > band.high;
  };
  return {
    isOutside,
    market(event: RawEvent): void {
      if (event.type === 'SymbolListed.v1') ({ rules, matchingRules: version } = event.data);
      if (event.type === 'MatchingRulesAdopted.v1') version = event.data.matchingRules;
      if (event.type === 'SymbolExemptionsChanged.v1') isOff = event.data.bandsOff;
      if (event.type === 'DayEnded.v1' && lastTicks === 0 && rules)
        rules = { ...rules, listingTicks: event.data.closeTicks };
    },
    traded(event: RawEventOf<'TradeExecuted.v1'>, taker: AuditedOrder | undefined): void {
      const { priceTicks, auction } = event.data;
      if (!auction && isOutside(priceTicks) && !taker?.bandExempt)
        wrong(event, `the trade at ${priceTicks} is outside ${band?.low} to ${band?.high}`);
      lastTicks = priceTicks;
    },
    /** Notes an order that may rest only if orders gather for an auction by the end of this input. */
    mustGather(event: RawEvent): void {
      gathering = event;
    },
    inputDone(gathers: boolean): void {
      if (gathering && !gathers) wrong(gathering, 'it rests, and there is no auction for it');
      gathering = undefined;
      band = undefined;
    },
  };
}
