/**
 * Time from one flush to the next while events come in small batches. A flush has a fixed price (three round trips,
 * a statement a table), and orders settle within it more often the longer it waits: it may cost a tenth of the
 * time, but never waits longer than a reader of his own writes would notice.
 */
const PACE_LEAST_MS = 25;
const PACE_MOST_MS = 100;
const PACE_FLUSHES = 10;
/** Position-only moves are told at most twenty times a second. */
const QUIET_PACE_MS = 50;

/** Milliseconds to wait after a flush that took so long; none after a full one, for there is more. */
export function restMs(
  { events }: { events: readonly unknown[] },
  tookMs: number,
  batchEventsMax: number,
): number {
  if (events.length >= batchEventsMax) return 0;
  const paceMs =
    events.length === 0
      ? QUIET_PACE_MS
      : Math.min(PACE_MOST_MS, Math.max(PACE_LEAST_MS, tookMs * PACE_FLUSHES));
  return Math.max(0, paceMs - tookMs);
}
