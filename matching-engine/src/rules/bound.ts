import type { BookFact } from '@brokerx/contracts';
import type { Engine } from './state.ts';

/**
 * Bounds the work of one input, from version 4 of the matching rules on: `OUTPUTS_MAX` (20,000) outputs are some 40
 * commits and a tenth of a second of matching. At the bound the order being matched stops and its rest expires. Stops
 * and brackets whose turn has not come wait for the next input, and so do ends of a day or a call that await output
 * (`deferredEnds.ts`). An uncross is always complete and does not count: each of its trades uses up an order, or a peak of
 * one, that an input of its own has placed.
 */

/** No bound, for older rules: more outputs than memory holds, but a small integer, which V8 stores without allocation. */
const UNBOUNDED = 2 ** 30 - 1;
/** The most outputs of one step: a match with its reductions in lists, two ends of orders, a change of the market's state. */
const STEP_OUTPUTS_MAX = 16;

/** Whether the input has so many outputs that no further step may begin. */
export const isAtBound = ({ outputsBound }: Engine, outputs: readonly BookFact[]): boolean =>
  outputs.length > outputsBound - STEP_OUTPUTS_MAX;

/** The most matches that an order may look ahead over. Each has at most two outputs, so there is room for all of them. */
export const lookAheadMatches = ({ outputsBound }: Engine): number =>
  Math.max(0, Math.floor((outputsBound - STEP_OUTPUTS_MAX) / 2));

/** Sets the bound for the next input; older rules have none. */
export function resetBound(engine: Engine): void {
  engine.outputsBound = (engine.listing?.matchingRules ?? 0) >= 4 ? engine.outputsMax : UNBOUNDED;
}

/** Runs a step that collects its outputs in a list of its own, while the input has this many outputs already. */
export function withOutputsBefore<T>(engine: Engine, outputCount: number, run: () => T): T {
  const { outputsBound } = engine;
  engine.outputsBound = outputsBound - outputCount;
  const result = run();
  engine.outputsBound = outputsBound;
  return result;
}
