import type { Log, Runtime } from '@brokerx/infra';
import { keyOf, type TableProjection } from './projection.ts';

/** A projection stands still after so many failures at one position: another process or a lost reply explains one or two. */
export const STANDSTILL_TIMES = 5;
/** Milliseconds between two log lines about one standstill. */
const LOG_EVERY_MS = 10_000;

/**
 * Detects a projection that begins again and again at one position, since its stored cursor is not where this process takes it to
 * be. Once is harmless: another process moved the cursor, or the reply of a commit was lost. Over and over at one position means
 * that no process moves it, and its tables are out of date for as long as that lasts.
 */
export type Standstills = {
  /** Counts a `CursorMoved` of a projection whose stored cursor is at `stored`; returns whether it stands still. */
  turnedAway(projection: TableProjection, stored: number): boolean;
  /** The projection makes progress, or belongs to another process. */
  over(key: string): void;
  /** The projections that stand still, with their positions: `wallets:1 at 10036`. */
  standing(): string[];
};

export function standstills(log: Log, runtime: Pick<Runtime, 'monotonicMs'>): Standstills {
  const places = new Map<string, { stored: number; times: number; loggedMs: number }>();
  const stands = ({ times }: { times: number }) => times >= STANDSTILL_TIMES;

  return {
    turnedAway(projection, stored) {
      const key = keyOf(projection);
      const former = places.get(key);
      const place =
        former?.stored === stored ? former : { stored, times: 0, loggedMs: Number.NEGATIVE_INFINITY };
      places.set(key, place);
      place.times += 1;
      if (!stands(place)) return false;
      if (runtime.monotonicMs() - place.loggedMs < LOG_EVERY_MS) return true;
      place.loggedMs = runtime.monotonicMs();
      log.warn(
        { projection: key, stored, times: place.times },
        'a projection does not get on: each time it begins at its stored cursor and is turned away there; what is read of it is out of date',
      );
      return true;
    },
    over: (key) => void places.delete(key),
    standing: () =>
      [...places]
        .filter(([, place]) => stands(place))
        .map(([key, { stored }]) => `${key} at ${stored}`)
        .sort(),
  };
}
