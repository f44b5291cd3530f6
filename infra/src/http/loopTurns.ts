import type { Runtime } from '../runtime/runtime.ts';

/**
 * Bounds the time that one turn of the event loop spends on clients' input. Work beyond the bound waits for a later turn, behind
 * all other work. So clients that send without waiting for replies delay any other client by one round, and not by all that
 * they sent.
 */
export type LoopTurns = {
  /** For a connection with no request in work: runs in this turn, unless the turn is far over its time. */
  soon(work: () => void): void;
  /** Runs in a later turn, behind all work that waits for one. */
  later(work: () => void): void;
};

/** Milliseconds of a turn for clients that send ahead, and for those that wait for replies: a person notices neither. */
const LATER_MS = 10;
const SOON_MS = 40;

export function loopTurns({ monotonicMs }: Pick<Runtime, 'monotonicMs'>): LoopTurns {
  let turnBeganMs: number | null = null;

  const isTurnOver = (limitMs: number) => turnBeganMs !== null && monotonicMs() - turnBeganMs >= limitMs;
  const run = (work: () => void) => {
    if (turnBeganMs === null) {
      turnBeganMs = monotonicMs();
      // This runs before all work that is put off from now on, which belongs to the next turn.
      setImmediate(() => {
        turnBeganMs = null;
      });
    }
    work();
  };
  const putOff = (work: () => void, limitMs: number) => {
    setImmediate(() => (isTurnOver(limitMs) ? putOff(work, limitMs) : run(work)));
  };
  return {
    soon: (work) => (isTurnOver(SOON_MS) ? putOff(work, SOON_MS) : run(work)),
    later: (work) => putOff(work, LATER_MS),
  };
}
