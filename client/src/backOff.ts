const FIRST_MS = 20;
const MAX_MS = 500;

/** A random pause before the next attempt (full jitter), so that clients of a restarted server do not arrive together. */
export const backOff = (attempts: number): number =>
  Math.random() * Math.min(MAX_MS, FIRST_MS * 2 ** attempts);

/**
 * Whether the same request may have another outcome later. BrokerX says so (`retryable`); for replies of a gateway or
 * proxy, which do not, the status decides.
 */
export const worthRepeating = (status: number, { retryable }: { retryable?: unknown }): boolean =>
  typeof retryable === 'boolean' ? retryable : (status >= 500 && status !== 501) || status === 429;
