/**
 * Milliseconds from one flush to the next while events come in small batches. A flush has a fixed price (three round trips, a
 * statement a table), and the longer it waits, the more events of one order share it. So it may take a tenth of the time
 * (`PACE_FLUSHES`), but waits no longer than a reader of its own writes would notice.
 */
const PACE_LEAST_MS = 25;
const PACE_MOST_MS = 100;
const PACE_FLUSHES = 10;
/** Milliseconds between moves without events: at most twenty a second are announced. */
const QUIET_PACE_MS = 50;

/** Milliseconds to wait after a flush that took `tookMs`; 0 after a full batch, since more events are waiting. */
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
