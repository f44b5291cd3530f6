const FIRST_MS = 20;
const MAX_MS = 500;

/** Full jitter, so that clients of a server that comes back do not arrive together. */
export const backOff = (attempts: number): number =>
  Math.random() * Math.min(MAX_MS, FIRST_MS * 2 ** attempts);

/** Whether the same request may be answered otherwise later. */
export const worthRepeating = (status: number, code: string): boolean =>
  (status >= 500 && status !== 501) || status === 429 || code === 'REQUEST_IN_FLIGHT';
