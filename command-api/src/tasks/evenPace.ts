import { type Runtime, sleep } from '@brokerx/infra';

/** Returns a function that waits for its turn. Turns are evenly spaced, at most so many a second, in the order of the calls. */
export function evenPace(runtime: Runtime, perSecondMax: number): (stopping: AbortSignal) => Promise<void> {
  const everyMs = 1_000 / perSecondMax;
  let nextMs = 0;
  return async (stopping) => {
    const nowMs = runtime.monotonicMs();
    const turnMs = Math.max(nowMs, nextMs);
    nextMs = turnMs + everyMs;
    if (turnMs > nowMs) await sleep(runtime, turnMs - nowMs, stopping);
  };
}
