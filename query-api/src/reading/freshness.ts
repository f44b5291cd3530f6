import type { PositionToken } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import { QUERY_BOUNDS } from './bounds.ts';
import { type Client, clientQuotas, fullDetail, type QuotaBounds } from './clientQuotas.ts';

/**
 * Read-your-writes: a reader waits until its sources have reached a position, and no source is ever shown at a position
 * behind one that it was shown at before. A source is a projection or the hot view. Each announces its position (through
 * `projectionPositions.ts` or the view itself), which only says when to look: projections are written without waiting for the
 * disk, so a crash of the server can take an announced position back. What counts, and what a reply states, is the position
 * in the snapshot that was read.
 */
export type Freshness = {
  /** The position that a source announced last; 0 before the first time. */
  position(source: string): number;
  /** A source announces its position, which may be lower than before (a rebuild, a crash). */
  moved(source: string, position: number): void;
  /**
   * Calls `look` once all sources have announced `min`, and the positions that they were shown at. Where the look finds less, it
   * waits and looks again, for `WAIT_MS` at most. `look` returns what it saw and the position of each source in it; null: the
   * source is not there. A `reader` takes a place while it waits, and gives it back as soon as its client has gone. Streams
   * read without one, since they have places of their own.
   */
  read<T>(
    sources: readonly string[],
    min: PositionToken | undefined,
    look: () => Promise<{ seen: T; positions: readonly (number | null)[] }>,
    reader?: Reader,
  ): Promise<Read<T> | Behind>;
  /** True where a source may be shown at this position, since nothing newer was shown; it then counts as shown. */
  shows(source: string, position: number): boolean;
  /** Readers that wait now. */
  waiting(): number;
  /** Ends all waits as behind. */
  close(): void;
};
/** `position` is the lowest position of the sources: all that was seen reflects it. */
export type Read<T> = { seen: T; position: number };
export type Behind = {
  refused: 'READ_MODEL_BEHIND' | 'FOREIGN_POSITION' | 'OVERLOADED' | 'REQUEST_LIMIT';
  detail: string;
};
/** The client that a read is for. */
export type Reader = Client & {
  /** Calls the listener once, when the client has gone; returns the function that removes it. */
  onGone(listener: () => void): () => void;
};

export type WaitOutcome = 'reached' | 'behind' | 'gone' | 'turned_away';

/** Milliseconds: longer than a healthy projection is ever behind, shorter than a client's patience. */
const WAIT_MS = 2_000;

export function freshness(options: {
  storeId: string;
  /**
   * The head of the store when this process began. Other processes may have shown any position up to it, so this one shows
   * nothing behind it.
   */
  shownBefore?: number;
  runtime: Runtime;
  /** Called with true when the first reader begins to wait, with false when none waits any more. */
  onWaiting?: (anybody: boolean) => void;
  /** Called with the outcome of each wait. */
  onWaited?: (outcome: WaitOutcome) => void;
  waitMs?: number;
  bounds?: QuotaBounds;
}): Freshness {
  const { storeId, shownBefore = 0, runtime, onWaiting, onWaited } = options;
  const { waitMs = WAIT_MS, bounds = QUERY_BOUNDS.waiters } = options;
  const announced = new Map<string, number>();
  const shown = new Map<string, number>();
  const waiters = new Set<Waiter>();
  const places = clientQuotas(bounds);
  const announcedBy = (source: string) => announced.get(source) ?? 0;
  const lastShown = (source: string) => shown.get(source) ?? shownBefore;
  const isAnnounced = ({ sources, min }: Goal) =>
    sources.every((source) => announcedBy(source) >= Math.max(min, lastShown(source)));
  const show = (source: string, position: number) => {
    shown.set(source, Math.max(lastShown(source), position));
    if (announcedBy(source) < position) moved(source, position);
  };

  const leave = (waiter: Waiter, outcome: WaitOutcome) => {
    if (!waiters.delete(waiter)) return;
    waiter.giveBack();
    onWaited?.(outcome);
    if (waiters.size === 0) onWaiting?.(false);
    waiter.resolve(outcome);
  };
  /** Waits until the goal is announced; or returns the refusal where there is no place to wait. */
  const until = (goal: Goal, ms: number, reader: Reader | undefined): Promise<WaitOutcome> | Behind => {
    const place = reader ? places.take(reader) : null;
    if (typeof place === 'string') {
      onWaited?.('turned_away');
      const detail = fullDetail('waiting requests', place, bounds);
      return { refused: place === 'FULL' ? 'OVERLOADED' : 'REQUEST_LIMIT', detail };
    }
    return new Promise((resolve) => {
      const waiter: Waiter = { ...goal, resolve, giveBack: () => undefined };
      waiters.add(waiter);
      const cancelTimer = runtime.setTimer(ms, () => leave(waiter, 'behind'));
      const stay = reader?.onGone(() => leave(waiter, 'gone'));
      waiter.giveBack = () => {
        cancelTimer();
        stay?.();
        place?.leave();
      };
      if (waiters.size === 1) onWaiting?.(true);
    });
  };
  const behind = ({ sources, min }: Goal): Behind => {
    const position = Math.min(...sources.map(announcedBy));
    const least = Math.max(min, ...sources.map(lastShown));
    const detail =
      position < 0
        ? 'what is read is being made again'
        : least > min
          ? `what is read went back to ${position}, and was at ${least} before`
          : `asked for ${min}, what is read stands at ${position}`;
    return { refused: 'READ_MODEL_BEHIND', detail };
  };
  const moved = (source: string, position: number) => {
    announced.set(source, position);
    for (const waiter of waiters) {
      if (waiter.sources.includes(source) && isAnnounced(waiter)) leave(waiter, 'reached');
    }
  };

  return {
    position: announcedBy,
    moved,
    shows(source, position) {
      if (position < lastShown(source)) return false;
      show(source, position);
      return true;
    },
    async read(sources, token, look, reader) {
      if (token && token.storeId !== storeId)
        return { refused: 'FOREIGN_POSITION', detail: ofAnother(token.storeId, storeId) };
      const goal = { sources, min: token?.position ?? 0 };
      const untilMs = runtime.monotonicMs() + waitMs;
      for (;;) {
        const leftMs = untilMs - runtime.monotonicMs();
        if (leftMs <= 0) return behind(goal);
        if (!isAnnounced(goal)) {
          const outcome = await until(goal, leftMs, reader);
          if (typeof outcome === 'object') return outcome;
          if (outcome !== 'reached') return behind(goal);
        }
        // The bar is set before the look: what other readers are shown during it does not raise it.
        const least = sources.map((source) => Math.max(goal.min, lastShown(source)));
        const before = sources.map(announcedBy);
        const { seen, positions } = await look();
        const reached = sources.map((_, i) => positions[i] ?? NOTHING);
        if (reached.every((position, i) => position >= (least[i] ?? 0))) {
          sources.forEach((source, i) => void show(source, reached[i] ?? 0));
          return { seen, position: Math.min(...reached) };
        }
        // An announced position was taken back: the next announcement says when to look again.
        sources.forEach((source, i) => {
          if (announcedBy(source) === before[i]) announced.set(source, reached[i] ?? NOTHING);
        });
      }
    },
    waiting: () => waiters.size,
    close() {
      for (const waiter of waiters) leave(waiter, 'behind');
    },
  };
}

export const ofAnother = (storeId: string, ours: string): string =>
  `the position is of store ${storeId}, this is store ${ours}`;

/** Below every position, so that even a read without `min` is not answered from a source that is not there. */
const NOTHING = -1;

type Goal = { sources: readonly string[]; min: number };
type Waiter = Goal & {
  resolve: (outcome: WaitOutcome) => void;
  giveBack: () => void;
};
