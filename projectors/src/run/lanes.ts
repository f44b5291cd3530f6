import type { Runtime } from '@brokerx/infra';
import { keyOf, type TableProjection } from './projection.ts';

/**
 * Groups projections into lanes: those at the same position share one, the foremost lane first. A projection that is apart has a
 * lane of its own, wherever it is.
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

/** Milliseconds without a failing event, after which a projection shares a lane again. */
const APART_MS = 60_000;

/** Projections that have lately met events which they cannot fold. Alone in a lane they cost the others nothing. */
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
