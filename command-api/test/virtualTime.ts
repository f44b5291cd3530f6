import { type Runtime, realRuntime } from '@brokerx/infra';

/** Time that moves when it is told to, from this one on. */
export function virtualTime(startMs = 0) {
  let nowMs = startMs;
  const timers = new Set<{ atMs: number; callback: () => void }>();
  const runtime: Runtime = {
    ...realRuntime,
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    setTimer(ms, callback) {
      const timer = { atMs: nowMs + ms, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  const settled = () => new Promise(setImmediate);
  const advance = async (ms: number) => {
    const untilMs = nowMs + ms;
    for (;;) {
      await settled();
      const [next] = [...timers].sort((a, b) => a.atMs - b.atMs);
      if (!next || next.atMs > untilMs) break;
      timers.delete(next);
      nowMs = next.atMs;
      next.callback();
    }
    nowMs = untilMs;
  };
  return { runtime, advance };
}
