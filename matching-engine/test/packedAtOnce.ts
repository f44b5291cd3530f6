import type { Engine } from '../src/rules/engine.ts';
import { type PackedState, packing } from '../src/snapshot/packedState.ts';

/** A snapshot without a pause between its steps. */
export function packedAtOnce(engine: Engine): PackedState {
  const steps = packing(engine);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
