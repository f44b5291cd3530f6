import { type Runtime, sleep } from '@brokerx/infra';

/** Turns that come evenly, so many a second at most, however many ask at once: in the order in which they asked. */
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
