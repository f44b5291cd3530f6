import type { Runtime } from '../runtime/runtime.ts';

/**
 * Turns of the event loop, each with so much time for what clients send. Whoever has more to do waits behind all others, so
 * that a crowd that sends without waiting for replies delays an honest client by one round, and not by all that it sent.
 */
export type LoopTurns = {
  /** For a connection with nothing else under way: in this turn while it is not far over its time. */
  soon(work: () => void): void;
  /** In a later turn, behind all who wait for one. */
  later(work: () => void): void;
};

/** Milliseconds of a turn for those who send ahead, and for those who do not: a person notices neither. */
const LATER_MS = 10;
const SOON_MS = 40;

export function loopTurns({ monotonicMs }: Pick<Runtime, 'monotonicMs'>): LoopTurns {
  let begunMs: number | null = null;

  const isOver = (limitMs: number) => begunMs !== null && monotonicMs() - begunMs >= limitMs;
  const run = (work: () => void) => {
    if (begunMs === null) {
      begunMs = monotonicMs();
      // Before all that is put off from now on: those are the next turn's.
      setImmediate(() => {
        begunMs = null;
      });
    }
    work();
  };
  const putOff = (work: () => void, limitMs: number) => {
    setImmediate(() => (isOver(limitMs) ? putOff(work, limitMs) : run(work)));
  };
  return {
    soon: (work) => (isOver(SOON_MS) ? putOff(work, SOON_MS) : run(work)),
    later: (work) => putOff(work, LATER_MS),
  };
}
