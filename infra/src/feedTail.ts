import assert from 'node:assert/strict';
import type { EventStore, Filter, Recorded } from './eventStore.ts';
import { unionOf } from './filterUnion.ts';
import type { Log } from './log.ts';
import { backOffMs } from './postgres.ts';
import { type Runtime, sleep } from './runtime.ts';

/**
 * The one reader of the head that a process's live consumers share. It holds the newest events that any member
 * wants, parsed, in a window. Without members it does nothing.
 */
export type FeedTail<E> = {
  /** A consumer that has come to the end, at `position`, shares the window from now on. */
  join(filter: Filter, position: number): Membership;
  /**
   * What the window holds after the position: `uncovered` while it was not yet read for this member from there
   * on (page on), `lost` where it no longer reaches back to there (leave).
   */
  since(
    membership: Membership,
    position: number,
  ): { events: readonly Recorded<E>[]; to: number } | 'uncovered' | 'lost';
  /** Position of the newest event known. */
  head(): number;
  /** Tells of a position read elsewhere. */
  seen(position: number): void;
  close(): Promise<void>;
};

export type Membership = {
  /** The window holds what this member wants after this position; null until it is read for it, too. */
  coveredFrom: () => number | null;
  leave(): void;
};

/** Parsed events kept for consumers that lag a little: some 20 MB. */
export const WINDOW_EVENTS_MAX = 20_000;
/** Events in one read of the head. */
const TAIL_PAGE_EVENTS_MAX = 1_000;

export function feedTail<E>(options: {
  store: EventStore<E>;
  runtime: Runtime;
  log?: Log | undefined;
  windowEventsMax?: number;
  /** The window grew, or members were let in. */
  onAdvance: () => void;
  /** The lowest position of any consumer: what lies before it is not needed. */
  lowest: () => number;
}): FeedTail<E> {
  const { store, runtime, log, onAdvance, lowest, windowEventsMax = WINDOW_EVENTS_MAX } = options;
  type Member = { filter: Filter; position: number; coveredFrom: number | null };
  const members = new Set<Member>();
  /** What they want together; null when it has to be worked out again. */
  let wanted: readonly Filter[] | null = null;
  let events: Recorded<E>[] = [];
  let from = 0;
  let to = 0;
  let head = 0;
  let closed = false;
  let again = false;
  let running: Promise<void> | null = null;
  let leaveStore: (() => void) | null = null;

  const poke = () => {
    again = true;
    running ??= Promise.resolve().then(run);
  };

  const run = async () => {
    for (let failures = 0; again && !closed && members.size > 0; ) {
      again = false;
      admit();
      try {
        while (!closed && members.size > 0 && !(await advance()));
        failures = 0;
      } catch (error) {
        failures += 1;
        again = true;
        if (!closed) log?.warn({ err: error, failures }, 'the head of the store could not be read');
        await sleep(runtime, backOffMs(failures));
      }
    }
    running = null;
  };

  /** New members are covered from the next read on, which is the first one made with their filter. */
  const admit = () => {
    const waiting = [...members].filter(({ coveredFrom }) => coveredFrom === null);
    if (waiting.length === 0) return;
    if (waiting.length === members.size) {
      events = [];
      from = to = Math.max(...waiting.map(({ position }) => position));
    }
    for (const member of waiting) member.coveredFrom = to;
    onAdvance();
  };

  /** Reads one page; true at the end of the store. */
  const advance = async (): Promise<boolean> => {
    wanted ??= unionOf([...members].map(({ filter }) => filter));
    const page = await store.readAll(to, wanted, TAIL_PAGE_EVENTS_MAX);
    assert(page.position >= to, 'the store went backwards');
    if (page.position > to) {
      events.push(...page.events);
      to = page.position;
      head = Math.max(head, to);
      forget();
      onAdvance();
    }
    return page.atEnd;
  };

  /** Drops what every consumer has, and the oldest of what is too much. */
  const forget = () => {
    const needless = Math.max(firstAfter(events, lowest()), events.length - windowEventsMax);
    // Seldom enough for the move of the rest to cost nothing.
    if (needless < events.length && needless < windowEventsMax / 10) return;
    from =
      needless === events.length
        ? Math.max(from, Math.min(lowest(), to))
        : (events[needless - 1]?.position ?? from);
    events = events.slice(needless);
  };

  return {
    join(filter, position) {
      const member: Member = { filter, position, coveredFrom: null };
      members.add(member);
      wanted = null;
      leaveStore ??= store.onAppend(poke);
      poke();
      return {
        coveredFrom: () => member.coveredFrom,
        leave() {
          members.delete(member);
          wanted = null;
        },
      };
    },
    since(membership, position) {
      const coveredFrom = membership.coveredFrom();
      if (coveredFrom === null || position < coveredFrom) return 'uncovered';
      if (position < from) return 'lost';
      return { events: events.slice(firstAfter(events, position)), to };
    },
    head: () => head,
    seen(position) {
      head = Math.max(head, position);
    },
    async close() {
      closed = true;
      leaveStore?.();
      await running;
    },
  };
}

/** Index of the first event after the position. */
export function firstAfter(events: readonly { position: number }[], position: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle]?.position ?? 0) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
