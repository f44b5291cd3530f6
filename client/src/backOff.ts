const FIRST_MS = 20;
const MAX_MS = 500;

/** Full jitter, so that clients of a server that comes back do not arrive together. */
export const backOff = (attempts: number): number =>
  Math.random() * Math.min(MAX_MS, FIRST_MS * 2 ** attempts);

/** Whether the same request may be answered otherwise later: the server says so; who stands before it may not. */
export const worthRepeating = (status: number, { retryable }: { retryable?: unknown }): boolean =>
  typeof retryable === 'boolean' ? retryable : (status >= 500 && status !== 501) || status === 429;
