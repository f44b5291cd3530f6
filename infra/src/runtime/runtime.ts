import { randomBytes } from 'node:crypto';

/**
 * Clock, timers and randomness as a parameter, so that a whole system can run from a seed. Only this file touches the real
 * ones.
 */
export type Runtime = {
  /** Milliseconds since the Unix epoch (wall clock): for times in events and expiry of keys. */
  nowMs(): number;
  /** Milliseconds on a clock that never goes back: for durations. */
  monotonicMs(): number;
  /** `count` random bytes. */
  randomBytes(count: number): Uint8Array;
  /** Calls back once after `ms`; returns the cancel function. */
  setTimer(ms: number, callback: () => void): () => void;
};

export const realRuntime: Runtime = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  randomBytes: pooledRandomBytes,
  setTimer: (ms, callback) => {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number) => {
      const laterMs = leftMs - TIMEOUT_MAX_MS;
      timer = laterMs > 0 ? setTimeout(wait, TIMEOUT_MAX_MS, laterMs) : setTimeout(callback, leftMs);
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
};

/** Milliseconds, 25 days: Node fires a longer timer at once, such as one computed while the clock was months off. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** Resolves after `ms`, or as soon as `signal` is aborted. */
export const sleep = (runtime: Runtime, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = runtime.setTimer(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });

/** Random bytes fetched from the system at a time: a call costs 2 µs, and every event needs a few for ids and traces. */
const POOL_BYTES = 4_096;
let pool = new Uint8Array(0);
let poolUsed = 0;

/** Never returns a byte twice: a used-up pool stays with its callers and is replaced by a new one. */
function pooledRandomBytes(count: number): Uint8Array {
  if (count > POOL_BYTES / 4) return randomBytes(count);
  if (poolUsed + count > pool.length) {
    pool = randomBytes(POOL_BYTES);
    poolUsed = 0;
  }
  poolUsed += count;
  return pool.subarray(poolUsed - count, poolUsed);
}
