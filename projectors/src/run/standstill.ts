import type { Log, Runtime } from '@brokerx/infra';
import { keyOf, type TableProjection } from './projection.ts';

/** Times that a projection may be turned away at one place: another process or a lost reply explains one or two. */
export const STANDSTILL_TIMES = 5;
/** It is told when it is known, and again at most this often. */
const TOLD_EVERY_MS = 10_000;

/**
 * Tells a projection that begins again and again where it stood, because its stored cursor is not where this process
 * takes it to be. Once is nothing: another process moved it, or the reply of a commit was lost. Over and over
 * at one place, nobody moves it, and what is read of it is out of date for as long as that lasts.
 */
export type Standstills = {
  /** It was turned away, and its stored cursor is here: gives whether it stands still. */
  turnedAway(projection: TableProjection, stored: number): boolean;
  /** It gets on, or is another process's business. */
  over(key: string): void;
  /** Those that stand still, each with its place: `wallets:1 at 10036`. */
  standing(): string[];
};

export function standstills(log: Log, runtime: Pick<Runtime, 'monotonicMs'>): Standstills {
  const places = new Map<string, { stored: number; times: number; toldMs: number }>();
  const stands = ({ times }: { times: number }) => times >= STANDSTILL_TIMES;

  return {
    turnedAway(projection, stored) {
      const key = keyOf(projection);
      const known = places.get(key);
      const place = known?.stored === stored ? known : { stored, times: 0, toldMs: Number.NEGATIVE_INFINITY };
      places.set(key, place);
      place.times += 1;
      if (!stands(place)) return false;
      if (runtime.monotonicMs() - place.toldMs < TOLD_EVERY_MS) return true;
      place.toldMs = runtime.monotonicMs();
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
