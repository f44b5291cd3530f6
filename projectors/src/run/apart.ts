import type { Runtime } from '@brokerx/infra';
import { keyOf, type TableProjection } from './projection.ts';

/** Milliseconds without a failing event, after which a projection shares a lane again. */
const APART_MS = 60_000;

/** Projections that have lately met events which they cannot fold. Alone in a lane they cost the others nothing. */
export type Apart = {
  add(projection: TableProjection): void;
  has(projection: TableProjection): boolean;
};

export function apartForAWhile(runtime: Pick<Runtime, 'monotonicMs'>): Apart {
  const untilMs = new Map<string, number>();
  return {
    add: (projection) => {
      untilMs.set(keyOf(projection), runtime.monotonicMs() + APART_MS);
    },
    has: (projection) => (untilMs.get(keyOf(projection)) ?? Number.NEGATIVE_INFINITY) > runtime.monotonicMs(),
  };
}
