import type { BookFact } from '@brokerx/contracts';
import type { Engine } from './state.ts';

/**
 * One input has bounded work, from version 4 of the matching rules on. Where its outputs would exceed this, the order
 * that is matched stops there and its rest expires; stops and brackets whose turn has not come keep it for the next
 * input, and so has what is left to tell of the end of a day or a call (`untoldEnds.ts`). An uncross is done whole and does not
 * count: each of its trades uses up an order, or a peak of one, that was placed by an input of its own.
 * The bound is `OUTPUTS_MAX` (20,000): some 40 commits and a tenth of a second of matching.
 */

/** Where nothing is counted: more than memory holds, and still a small integer, which costs an engine's state nothing. */
const UNBOUNDED = 2 ** 30 - 1;
/** One more step tells no more: a match with what lists say of it, the ends of two orders, what the market does then. */
const STEP_OUTPUTS_MAX = 16;

/** Nothing more is begun. */
export const isFull = ({ outputsEnd }: Engine, outputs: readonly BookFact[]): boolean =>
  outputs.length > outputsEnd - STEP_OUTPUTS_MAX;

/** Matches that an order may look ahead over: each tells two outputs at most, so that whatever it finds can be done. */
export const lookAheadMatches = ({ outputsEnd }: Engine): number =>
  Math.max(0, Math.floor((outputsEnd - STEP_OUTPUTS_MAX) / 2));

/** Begins to count an input's outputs; older rules count nothing. */
export function count(engine: Engine): void {
  engine.outputsEnd = (engine.listing?.matchingRules ?? 0) >= 4 ? engine.outputsMax : UNBOUNDED;
}

/** Carries out what tells into outputs of its own, behind so many that are told already. */
export function behind<T>(engine: Engine, told: number, carryOut: () => T): T {
  const { outputsEnd } = engine;
  engine.outputsEnd = outputsEnd - told;
  const result = carryOut();
  engine.outputsEnd = outputsEnd;
  return result;
}
