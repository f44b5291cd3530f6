import { collarTicks, ticks } from '@brokerx/contracts';

/** The entry collar: the lowest and the highest price that a limit order may have, in ticks. */
export type Collar = { readonly lowTicks: number; readonly highTicks: number };

export const collarAround = (referenceTicks: number, collarPpm: number, leastTicks: number): Collar => ({
  lowTicks: collarTicks(ticks(referenceTicks), collarPpm, 'down', leastTicks),
  highTicks: collarTicks(ticks(referenceTicks), collarPpm, 'up', leastTicks),
});
