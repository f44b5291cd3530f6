import type { BookFact } from '@brokerx/contracts';

/** What limits one input: the prices at which it may trade, and its number of outputs. */
export const inputRules = () => ({
  band: { low: 0, high: Number.POSITIVE_INFINITY },
  isGathering: () => false,
  beginVolatilityAuction: (): BookFact[] => [],
  /** Whether the number of outputs is bounded. */
  isBounded: false,
  /** Outputs so far that count towards the bound. */
  outputCount: 0,
  /** Those among them that earlier inputs had no room for. */
  deferredCount: 0,
  /** Ends of orders that have happened and are not reported yet. */
  deferredEnds: [] as BookFact[],
  outputsMax: 20_000,
});
export type InputRules = ReturnType<typeof inputRules>;

/** Whether no further step may begin: one step has at most sixteen outputs. */
export const isAtBound = ({ isBounded, outputCount, outputsMax }: InputRules, more: number): boolean =>
  isBounded && outputCount + more > outputsMax - 16;

/** Returns the ends that the input has room for, in order. The rest is deferred to the next inputs. */
export function reportEnds(rules: InputRules, ends: readonly BookFact[]): BookFact[] {
  return ends.filter((end) => {
    const fits = rules.deferredEnds.length === 0 && !isAtBound(rules, 0);
    if (fits) rules.outputCount += 1;
    else rules.deferredEnds.push(end);
    return fits;
  });
}

/** The number of outputs of an uncross, which do not count towards the bound. */
export function uncrossOutputCount(facts: readonly BookFact[]): number {
  const from = facts.findIndex(({ type }) => type === 'AuctionUncrossed.v1');
  if (from < 0) return 0;
  const to = facts.findIndex((fact, n) => n > from && !belongsToUncross(fact));
  return (to < 0 ? facts.length : to) - from;
}

const belongsToUncross = ({ type, data }: BookFact): boolean =>
  type === 'TradeExecuted.v1' ||
  type === 'OrderReduced.v1' ||
  (type === 'OrderExpired.v1' && data.reason === 'OCO_TRIGGER');
