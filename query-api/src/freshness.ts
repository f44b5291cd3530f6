import type { PositionToken } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';

/**
 * Read-your-writes: where each projection stands, kept in memory, and the readers who wait until it stands further.
 * A position is always one that was committed before it was told here, so whatever is read afterwards reflects it.
 * Nothing here asks the database for a reader's sake; the positions come from `projectionPositions.ts` and from the
 * hot view.
 */
export type Freshness = {
  /** What is known of a source now: a projection's name, or the hot view's. 0 when nothing is. */
  position(source: string): number;
  /** A source was told to stand here; it may go back (a rebuild from the beginning). */
  moved(source: string, position: number): void;
  /**
   * The position that reading all these sources from now on certainly reflects, once it is at least `min`; a
   * refusal when that does not happen within `WAIT_MS`.
   */
  reach(sources: readonly string[], min: PositionToken | undefined): Promise<Reached>;
  /** Readers waiting now. */
  waiting(): number;
  /** Ends all waits as behind. */
  close(): void;
};
export type Reached =
  | { position: number }
  | { refused: 'READ_MODEL_BEHIND' | 'FOREIGN_POSITION' | 'OVERLOADED'; detail: string };

export type WaitOutcome = 'reached' | 'behind' | 'turned_away';

/** Milliseconds: longer than a projection is ever behind in good health, shorter than a client's patience. */
export const WAIT_MS = 2_000;
/** Each waiter holds a request and its socket; more than this wait only where a projection stands still. */
export const WAITERS_MAX = 1_000;

export function freshness(options: {
  storeId: string;
  runtime: Runtime;
  /** Told when the first reader begins to wait and when the last one has gone. */
  onWaiting?: (anybody: boolean) => void;
  /** Told how each wait ended. */
  onWaited?: (outcome: WaitOutcome) => void;
  waitMs?: number;
  waitersMax?: number;
}): Freshness {
  const { storeId, runtime, onWaiting, onWaited, waitMs = WAIT_MS, waitersMax = WAITERS_MAX } = options;
  const positions = new Map<string, number>();
  const waiters = new Set<Waiter>();
  const lowest = (sources: readonly string[]) =>
    sources.length === 0 ? 0 : Math.min(...sources.map((source) => positions.get(source) ?? 0));

  const leave = (waiter: Waiter, reached: boolean) => {
    if (!waiters.delete(waiter)) return;
    waiter.cancelTimer();
    onWaited?.(reached ? 'reached' : 'behind');
    if (waiters.size === 0) onWaiting?.(false);
    waiter.resolve(reached);
  };
  const until = (sources: readonly string[], min: number) =>
    new Promise<boolean>((resolve) => {
      const waiter: Waiter = { sources, min, resolve, cancelTimer: () => undefined };
      waiter.cancelTimer = runtime.setTimer(waitMs, () => leave(waiter, false));
      waiters.add(waiter);
      if (waiters.size === 1) onWaiting?.(true);
    });

  return {
    position: (source) => positions.get(source) ?? 0,
    moved(source, position) {
      positions.set(source, position);
      for (const waiter of waiters) {
        if (waiter.sources.includes(source) && lowest(waiter.sources) >= waiter.min) leave(waiter, true);
      }
    },
    async reach(sources, min) {
      if (!min) return { position: lowest(sources) };
      if (min.storeId !== storeId) {
        const detail = `the position is of store ${min.storeId}, this is store ${storeId}`;
        return { refused: 'FOREIGN_POSITION', detail };
      }
      if (lowest(sources) < min.position) {
        if (waiters.size >= waitersMax) {
          onWaited?.('turned_away');
          return { refused: 'OVERLOADED', detail: 'too many requests wait for what is read to catch up' };
        }
        if (!(await until(sources, min.position))) {
          const detail = `asked for ${min.position}, what is read stands at ${lowest(sources)}`;
          return { refused: 'READ_MODEL_BEHIND', detail };
        }
      }
      return { position: lowest(sources) };
    },
    waiting: () => waiters.size,
    close() {
      for (const waiter of waiters) leave(waiter, false);
    },
  };
}

type Waiter = {
  sources: readonly string[];
  min: number;
  resolve: (reached: boolean) => void;
  cancelTimer: () => void;
};
