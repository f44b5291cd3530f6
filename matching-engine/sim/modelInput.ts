import type { BookFact } from '@brokerx/contracts';

/** The limits of one input: the prices at which it may trade, what happens beyond them, and its number of outputs. */
export const inputRules = () => ({
  band: { low: 0, high: Number.POSITIVE_INFINITY },
  gathers: () => false,
  interrupt: (): BookFact[] => [],
  /** Whether the number of outputs is bounded. `told`: outputs so far; `most`: the bound. */
  bounds: false,
  told: 0,
  /** The outputs among them that earlier inputs had no room for. */
  before: 0,
  /** Ends of orders that have happened and await output. */
  left: [] as BookFact[],
  most: 20_000,
});
export type InputRules = ReturnType<typeof inputRules>;

/** Whether no further step may begin: one step has at most sixteen outputs. */
export const isBounded = ({ bounds, told, most }: InputRules, more: number): boolean =>
  bounds && told + more > most - 16;

/** Returns those of the ends that the input has room for, in order; the rest waits for the next inputs. */
export function tellEnds(rules: InputRules, ends: readonly BookFact[]): BookFact[] {
  return ends.filter((end) => {
    const fits = rules.left.length === 0 && !isBounded(rules, 0);
    if (fits) rules.told += 1;
    else rules.left.push(end);
    return fits;
  });
}

/** The number of outputs of an uncross, which do not count towards the bound. */
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
