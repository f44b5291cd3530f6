import { type Runtime, realRuntime } from '../src/runtime/runtime.ts';

/**
 * Time that moves only when told, shared by any number of simulated processes. A process can be suspended, as by
 * SIGSTOP: its clock goes on and its timers do not run; and killed: then they never do.
 */
export type VirtualTime = {
  nowMs(): number;
  process(): SimulatedProcess;
  /** Runs what comes due, one timer at a time; `afterEach` looks at the world after each of them. */
  advance(ms: number, afterEach?: () => void): Promise<void>;
};

export type SimulatedProcess = {
  runtime: Runtime;
  suspend(): void;
  resume(): void;
  kill(): void;
  isSuspended(): boolean;
  isDead(): boolean;
};

type Timer = {
  atMs: number;
  order: number;
  callback: () => void;
  process: { suspended: boolean; dead: boolean };
};

export function virtualTime(): VirtualTime {
  let nowMs = 0;
  let order = 0;
  const timers = new Set<Timer>();

  const next = (untilMs: number): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.process.dead) timers.delete(timer);
      else if (!timer.process.suspended && timer.atMs <= untilMs) {
        const isEarlier =
          !first || timer.atMs < first.atMs || (timer.atMs === first.atMs && timer.order < first.order);
        if (isEarlier) first = timer;
      }
    }
    return first;
  };

  return {
    nowMs: () => nowMs,
    process() {
      const state = { suspended: false, dead: false };
      return {
        runtime: {
          ...realRuntime,
          monotonicMs: () => nowMs,
          setTimer(ms, callback) {
            order += 1;
            const timer = { atMs: nowMs + ms, order, callback, process: state };
            timers.add(timer);
            return () => timers.delete(timer);
          },
        },
        suspend() {
          state.suspended = true;
        },
        resume() {
          state.suspended = false;
        },
        kill() {
          state.dead = true;
        },
        isSuspended: () => state.suspended,
        isDead: () => state.dead,
      };
    },
    async advance(ms, afterEach = () => {}) {
      const untilMs = nowMs + ms;
      await settled();
      for (let timer = next(untilMs); timer; timer = next(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.atMs);
        timer.callback();
        await settled();
        afterEach();
      }
      nowMs = untilMs;
      afterEach();
    },
  };
}

/** Lets everything run that waits for nothing but promises. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
