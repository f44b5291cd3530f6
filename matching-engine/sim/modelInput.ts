import type { BookFact } from '@brokerx/contracts';

/** What holds of one input: how far trades may go, what happens where they would go further, and how much it may tell. */
export const inputRules = () => ({
  band: { low: 0, high: Number.POSITIVE_INFINITY },
  gathers: () => false,
  interrupt: (): BookFact[] => [],
  /** Whether an input's work is bounded, what it has told, and how much it may tell. */
  bounds: false,
  told: 0,
  most: 20_000,
});
export type InputRules = ReturnType<typeof inputRules>;

/** So near the end another step is not begun: it may tell sixteen things. */
export const isBounded = ({ bounds, told, most }: InputRules, more: number): boolean =>
  bounds && told + more > most - 16;

/** What an uncross tells is whole: how much comes of an input is counted from what the market does after it. */
export function countedFrom(facts: readonly BookFact[]): number {
  const uncrossed = facts.findIndex(({ type }) => type === 'AuctionUncrossed.v1');
  return uncrossed < 0
    ? 0
    : facts.findIndex(({ type }, n) => n > uncrossed && type === 'MarketStateChanged.v1');
}
