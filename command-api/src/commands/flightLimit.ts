import type { Runtime } from '@brokerx/infra';

/**
 * How many requests may be in flight, by the measured delay with which this process gets round to what has arrived: a timer
 * that is late tells how late everything else is. While it stays late the limit is halved, and it grows again in steps. So
 * what is let in is answered soon however slow the machine is, and the rest is refused before it costs anything.
 */
export type FlightLimit = {
  /** Requests in flight at most, now. */
  value(): number;
  /** Told whenever a request has come in: only with many of them in flight is there anything to measure. */
  heed(inFlight: number): void;
  close(): void;
};

/** Each waits for one group commit; 2,000 are about a second of full load. */
export const IN_FLIGHT_MAX = 2_000;
/** Enough for a group commit to be full, whatever the delay: below it nobody is refused for it. */
export const IN_FLIGHT_MIN = 400;
/** Milliseconds of delay that are kept up with: what a person does not notice. */
export const DELAY_TARGET_MS = 100;
const MEASURE_EVERY_MS = 50;
/** Measurements in a row that must be late: one alone is a collection of garbage. */
const LATE_IN_A_ROW = 2;
const GROWTH = 100;

export function flightLimit({
  setTimer,
  monotonicMs,
}: Pick<Runtime, 'setTimer' | 'monotonicMs'>): FlightLimit {
  let limit = IN_FLIGHT_MAX;
  let inFlight = 0;
  let late = 0;
  let cancel: (() => void) | null = null;

  const measure = () => {
    const dueMs = monotonicMs() + MEASURE_EVERY_MS;
    cancel = setTimer(MEASURE_EVERY_MS, () => {
      cancel = null;
      late = monotonicMs() - dueMs > DELAY_TARGET_MS ? late + 1 : 0;
      if (late === 0) limit = Math.min(IN_FLIGHT_MAX, limit + GROWTH);
      else if (late >= LATE_IN_A_ROW) limit = Math.max(IN_FLIGHT_MIN, Math.floor(limit / 2));
      if (inFlight > IN_FLIGHT_MIN || limit < IN_FLIGHT_MAX) measure();
    });
  };
  return {
    value: () => limit,
    heed(count) {
      inFlight = count;
      if (count > IN_FLIGHT_MIN && !cancel) measure();
    },
    close: () => cancel?.(),
  };
}
