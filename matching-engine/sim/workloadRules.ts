import type { SymbolRules } from '@brokerx/contracts';

/** The rules of the workload's symbol under the oldest matching rules. */
const RULES: SymbolRules = {
  tickCents: 1,
  listingTicks: 10_000,
  collarPpm: 100_000,
  feePpm: 1_000,
  orderSharesMax: 100_000,
  dailyClose: '21:00',
};
/** Under the newest matching rules there are lots, limits of value and a trade band, too. */
const NEW_RULES: SymbolRules = {
  ...RULES,
  lotShares: 2,
  notionalMinCents: 20_000,
  notionalMaxCents: 40_000_000,
  bandPpm: 3_000,
};
/** A cheap symbol: one tick is 1% of its price, which often decides what money buys. Its lots are large, so odd rests are common. */
const CHEAP_RULES: SymbolRules = {
  ...NEW_RULES,
  listingTicks: 100,
  collarPpm: 400_000,
  lotShares: 10,
  notionalMinCents: 500,
  bandPpm: 150_000,
};
/** A trade band of less than a tick. */
const NARROW_PPM = 50;

/** Every fifth seed has a cheap symbol, every seventh a narrow band; every fourth begins with the oldest rules and has neither. */
export function rulesOf(seed: number): SymbolRules {
  if (seed % 4 === 0) return RULES;
  const rules = seed % 5 === 0 ? CHEAP_RULES : NEW_RULES;
  return seed % 7 === 0 ? { ...rules, bandPpm: NARROW_PPM } : rules;
}
