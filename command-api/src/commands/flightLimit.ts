import type { Runtime } from '@brokerx/infra';

/**
 * Limits the requests in flight by the measured delay of this process: a late timer shows how late all other work is.
 * While the timer stays late the limit is halved; afterwards it grows again in steps. Admitted requests are thus answered
 * soon however slow the machine is, and other requests are refused before they cost anything.
 */
export type FlightLimit = {
  /** The most requests that may be in flight now. */
  value(): number;
  /** Call whenever the number of requests in flight changes: the delay is measured only while there are many. */
  heed(inFlight: number): void;
  close(): void;
};

/** Each request waits for one group commit; 2,000 requests are about a second of full load. */
export const IN_FLIGHT_MAX = 2_000;
/** The limit never falls below this, whatever the delay: enough requests to fill a group commit. */
export const IN_FLIGHT_MIN = 400;
/** The delay in milliseconds beyond which the limit falls: a person does not notice less. */
export const DELAY_TARGET_MS = 100;
const MEASURE_EVERY_MS = 50;
/** Late measurements in a row that lower the limit: a single one may be a garbage collection. */
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
