/**
 * What an account did in one minute of event time: a fold of its events, so that several processes, and one after a
 * restart, count the same. A new minute begins with nothing.
 */
export type Rates = {
  /** Begin of the minute, milliseconds since the Unix epoch. */
  windowMs: number;
  /** Orders placed and not filled. */
  unfilled: number;
  /** Refusals that were recorded: of orders, and of everything else. */
  refusedOrders: number;
  refusedOthers: number;
};

export const RATE_WINDOW_MS = 60_000;

export const initialRates = (): Rates => ({ windowMs: 0, unfilled: 0, refusedOrders: 0, refusedOthers: 0 });

/** The rates as of a moment. */
export const ratesAt = (rates: Rates, nowMs: number): Rates =>
  nowMs >= rates.windowMs + RATE_WINDOW_MS ? initialRates() : rates;

/** Seconds until the account's minute is over, at least 1. */
export const secondsLeft = ({ windowMs }: Rates, nowMs: number): number =>
  Math.max(1, Math.ceil((windowMs + RATE_WINDOW_MS - nowMs) / 1_000));

/** Adds to a count, in the minute of the event's time. */
export function countIn(
  rates: Rates,
  time: string,
  counted: 'unfilled' | 'refusedOrders' | 'refusedOthers',
  more = 1,
): void {
  const timeMs = Date.parse(time);
  if (timeMs >= rates.windowMs + RATE_WINDOW_MS) {
    Object.assign(rates, initialRates(), { windowMs: timeMs - (timeMs % RATE_WINDOW_MS) });
  }
  rates[counted] += more;
}
