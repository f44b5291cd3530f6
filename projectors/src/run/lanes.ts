import type { Runtime } from '@brokerx/infra';
import { keyOf, type TableProjection } from './projection.ts';

/**
 * Who travels together: those that stand at one place, the foremost first. Who is apart travels alone, wherever it
 * stands.
 */
export function together(
  projections: readonly TableProjection[],
  positions: ReadonlyMap<string, number>,
  isApart: (projection: TableProjection) => boolean,
): TableProjection[][] {
  const [alone, others] = [projections.filter(isApart), projections.filter((one) => !isApart(one))];
  const places = Map.groupBy(others, (one) => positions.get(keyOf(one)) ?? 0);
  const lanes = [...places].sort(([a], [b]) => b - a).map(([, members]) => members);
  return [...lanes, ...alone.map((one) => [one])];
}

/** Milliseconds without an event that it cannot fold, after which a projection travels with the others again. */
const APART_MS = 60_000;

/** Projections that met what they cannot fold a moment ago: they cost the others nothing while they are alone. */
export function apartForAWhile(runtime: Pick<Runtime, 'monotonicMs'>) {
  const untilMs = new Map<string, number>();
  return {
    add: (projection: TableProjection): void => {
      untilMs.set(keyOf(projection), runtime.monotonicMs() + APART_MS);
    },
    has: (projection: TableProjection): boolean =>
      (untilMs.get(keyOf(projection)) ?? Number.NEGATIVE_INFINITY) > runtime.monotonicMs(),
  };
}
