import type { PlacedInput } from '../src/rules/engine.ts';
import { compare } from './simulate.ts';

/**
 * Shrinks a failing run: leaves out ever smaller pieces of its inputs as long as the rest still fails. The first input stays,
 * because it lists the symbol. Inputs do not depend on each other, so any subset of them is a possible run.
 */
export function shrunk(
  inputs: readonly PlacedInput[],
  fails: (inputs: readonly PlacedInput[]) => boolean,
): PlacedInput[] {
  let remaining = [...inputs];
  for (let piece = remaining.length >> 1; piece >= 1; ) {
    let wasShortened = false;
    for (let from = 1; from < remaining.length; from += piece) {
      const without = remaining.toSpliced(from, piece);
      if (!fails(without)) continue;
      remaining = without;
      wasShortened = true;
      from -= piece;
    }
    if (!wasShortened || piece > 1) piece >>= 1;
  }
  return remaining;
}

/** Returns a function that tells whether the engine and the model differ on inputs, in a run with this seed. */
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
