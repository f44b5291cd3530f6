import type { PlacedInput } from '../src/rules/engine.ts';
import { compare } from './simulate.ts';

/**
 * The fewest inputs that still fail, found by leaving out ever smaller pieces (the first one, which lists the symbol,
 * stays). Inputs do not depend on each other, so any subset is a history.
 */
export function shrunk(
  inputs: readonly PlacedInput[],
  fails: (inputs: readonly PlacedInput[]) => boolean,
): PlacedInput[] {
  let left = [...inputs];
  for (let piece = left.length >> 1; piece >= 1; ) {
    let smaller = false;
    for (let from = 1; from < left.length; from += piece) {
      const without = left.toSpliced(from, piece);
      if (!fails(without)) continue;
      left = without;
      smaller = true;
      from -= piece;
    }
    if (!smaller || piece > 1) piece >>= 1;
  }
  return left;
}

/** Whether the engine and the model differ on them, in a run of this seed. */
export const differs =
  (seed: number) =>
  (inputs: readonly PlacedInput[]): boolean => {
    try {
      compare(inputs, seed);
      return false;
    } catch {
      return true;
    }
  };
