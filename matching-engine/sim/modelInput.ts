import type { BookFact } from '@brokerx/contracts';

/** What holds of one input: how far trades may go, what happens where they would go further, and how much it may tell. */
export const inputRules = () => ({
  band: { low: 0, high: Number.POSITIVE_INFINITY },
  gathers: () => false,
  interrupt: (): BookFact[] => [],
  /** Whether an input's work is bounded, what it has told, and how much it may tell. */
  bounds: false,
  told: 0,
  /** Of that, what inputs before had left. */
  before: 0,
  /** Ends that have happened, and that nobody was told yet. */
  left: [] as BookFact[],
  most: 20_000,
});
export type InputRules = ReturnType<typeof inputRules>;

/** So near the end another step is not begun: it may tell sixteen things. */
export const isBounded = ({ bounds, told, most }: InputRules, more: number): boolean =>
  bounds && told + more > most - 16;

/** Of what ends at once: what there is room for, in its order; the rest is for the next inputs. */
export function tellEnds(rules: InputRules, ends: readonly BookFact[]): BookFact[] {
  return ends.filter((end) => {
    const fits = rules.left.length === 0 && !isBounded(rules, 0);
    if (fits) rules.told += 1;
    else rules.left.push(end);
    return fits;
  });
}

/** What an uncross tells is whole, and does not count. */
export function uncounted(facts: readonly BookFact[]): number {
  const from = facts.findIndex(({ type }) => type === 'AuctionUncrossed.v1');
  if (from < 0) return 0;
  const to = facts.findIndex((fact, n) => n > from && !isOfUncross(fact));
  return (to < 0 ? facts.length : to) - from;
}

const isOfUncross = ({ type, data }: BookFact): boolean =>
  type === 'TradeExecuted.v1' ||
  type === 'OrderReduced.v1' ||
  (type === 'OrderExpired.v1' && data.reason === 'OCO_TRIGGER');
