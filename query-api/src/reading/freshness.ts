import type { PositionToken } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import { QUERY_BOUNDS } from './bounds.ts';
import { type Client, type ShareBounds, shares, whyFull } from './shares.ts';

/**
 * Read-your-writes. Where each projection stands is heard of (from `projectionPositions.ts` and the hot view) and kept in
 * memory, with the readers who wait until it stands further. What was heard only says when to look: projections are
 * written without waiting for the disk, so a crash of the server takes back what was heard. What is answered, and told,
 * is the position in the very snapshot that was read. No source is ever shown at a position behind one that it
 * was shown at before.
 */
export type Freshness = {
  /** What was heard of a source last: a projection's name, or the hot view's. 0 when nothing was. */
  position(source: string): number;
  /** A source was heard to stand here; it may go back (a rebuild, a crash). */
  moved(source: string, position: number): void;
  /**
   * Looks at these sources as soon as all of them are heard to have `min` and what was shown of them, again while
   * what was heard proves to have been taken back, for `WAIT_MS` at most. `look` also gives where each source stood in
   * what it saw; null: there was nothing of it. A reader takes a place while it waits, and gives it back as soon as its
   * client has gone; what streams read for themselves has none, for they have places of their own.
   */
  read<T>(
    sources: readonly string[],
    min: PositionToken | undefined,
    look: () => Promise<{ seen: T; positions: readonly (number | null)[] }>,
    reader?: Reader,
  ): Promise<Read<T> | Behind>;
  /** Whether what was seen of a source at this position may be shown: nobody was shown anything newer. It is, then. */
  shows(source: string, position: number): boolean;
  /** Readers waiting now. */
  waiting(): number;
  /** Ends all waits as behind. */
  close(): void;
};
/** `position`: what all that was seen reflects. */
export type Read<T> = { seen: T; position: number };
export type Behind = {
  refused: 'READ_MODEL_BEHIND' | 'FOREIGN_POSITION' | 'OVERLOADED' | 'REQUEST_LIMIT';
  detail: string;
};
/** For whom is read. */
export type Reader = Client & {
  /** Calls back, once, when nobody waits for the answer any more; returns the function that takes that back. */
  onGone(listener: () => void): () => void;
};

export type WaitOutcome = 'reached' | 'behind' | 'gone' | 'turned_away';

/** Milliseconds: longer than a projection is ever behind in good health, shorter than a client's patience. */
const WAIT_MS = 2_000;

export function freshness(options: {
  storeId: string;
  /**
   * The head of the store as this process began: what others told before is not beyond it, so nothing is shown that stands
   * behind it.
   */
  shownBefore?: number;
  runtime: Runtime;
  /** Told when the first reader begins to wait and when the last one has gone. */
  onWaiting?: (anybody: boolean) => void;
  /** Told how each wait ended. */
  onWaited?: (outcome: WaitOutcome) => void;
  waitMs?: number;
  bounds?: ShareBounds;
}): Freshness {
  const { storeId, shownBefore = 0, runtime, onWaiting, onWaited } = options;
  const { waitMs = WAIT_MS, bounds = QUERY_BOUNDS.waiters } = options;
  const heard = new Map<string, number>();
  const shown = new Map<string, number>();
  const waiters = new Set<Waiter>();
  const places = shares(bounds);
  const heardOf = (source: string) => heard.get(source) ?? 0;
  const shownOf = (source: string) => shown.get(source) ?? shownBefore;
  const isHeard = ({ sources, min }: Wanted) =>
    sources.every((source) => heardOf(source) >= Math.max(min, shownOf(source)));
  const show = (source: string, position: number) => {
    shown.set(source, Math.max(shownOf(source), position));
    if (heardOf(source) < position) moved(source, position);
  };

  const leave = (waiter: Waiter, outcome: WaitOutcome) => {
    if (!waiters.delete(waiter)) return;
    waiter.giveBack();
    onWaited?.(outcome);
    if (waiters.size === 0) onWaiting?.(false);
    waiter.resolve(outcome);
  };
  /** Waits until it is heard; or says why it has not waited. */
  const until = (wanted: Wanted, ms: number, reader: Reader | undefined): Promise<WaitOutcome> | Behind => {
    const place = reader ? places.take(reader) : null;
    if (typeof place === 'string') {
      onWaited?.('turned_away');
      const detail = whyFull('waiting requests', place, bounds);
      return { refused: place === 'FULL' ? 'OVERLOADED' : 'REQUEST_LIMIT', detail };
    }
    return new Promise((resolve) => {
      const waiter: Waiter = { ...wanted, resolve, giveBack: () => undefined };
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
  const behind = ({ sources, min }: Wanted): Behind => {
    const [stands, asked] = [
      Math.min(...sources.map(heardOf)),
      Math.max(min, ...sources.map((source) => shownOf(source))),
    ];
    const detail =
      stands < 0
        ? 'what is read is being made again'
        : asked > min
          ? `what is read went back to ${stands}, and was at ${asked} before`
          : `asked for ${min}, what is read stands at ${stands}`;
    return { refused: 'READ_MODEL_BEHIND', detail };
  };
  const moved = (source: string, position: number) => {
    heard.set(source, position);
    for (const waiter of waiters) {
      if (waiter.sources.includes(source) && isHeard(waiter)) leave(waiter, 'reached');
    }
  };

  return {
    position: heardOf,
    moved,
    shows(source, position) {
      if (position < shownOf(source)) return false;
      show(source, position);
      return true;
    },
    async read(sources, token, look, reader) {
      if (token && token.storeId !== storeId)
        return { refused: 'FOREIGN_POSITION', detail: ofAnother(token.storeId, storeId) };
      const wanted = { sources, min: token?.position ?? 0 };
      const untilMs = runtime.monotonicMs() + waitMs;
      for (;;) {
        const leftMs = untilMs - runtime.monotonicMs();
        if (leftMs <= 0) return behind(wanted);
        if (!isHeard(wanted)) {
          const outcome = await until(wanted, leftMs, reader);
          if (typeof outcome === 'object') return outcome;
          if (outcome !== 'reached') return behind(wanted);
        }
        // What is shown to others while this one looks is theirs alone.
        const least = sources.map((source) => Math.max(wanted.min, shownOf(source)));
        const before = sources.map(heardOf);
        const { seen, positions } = await look();
        const stands = sources.map((_, i) => positions[i] ?? NOTHING);
        if (stands.every((at, i) => at >= (least[i] ?? 0))) {
          sources.forEach((source, i) => void show(source, stands[i] ?? 0));
          return { seen, position: Math.min(...stands) };
        }
        // What was heard was taken back: the next word of it says when to look again.
        sources.forEach((source, i) => {
          if (heardOf(source) === before[i]) heard.set(source, stands[i] ?? NOTHING);
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

/** Below every position: also what asks for nothing in particular is not answered from nothing. */
const NOTHING = -1;

type Wanted = { sources: readonly string[]; min: number };
type Waiter = Wanted & {
  resolve: (outcome: WaitOutcome) => void;
  giveBack: () => void;
};
