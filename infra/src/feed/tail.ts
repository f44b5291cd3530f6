import assert from 'node:assert/strict';
import { type EventStore, type Filter, matcher, type Page, type Recorded } from '../eventStore/eventStore.ts';
import { firstAfter } from '../eventStore/firstAfter.ts';
import type { Log } from '../runtime/log.ts';
import { unlessOutage } from '../runtime/outage.ts';
import { backOffMs } from '../runtime/retry.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';
import { unionOf } from './filterUnion.ts';

/**
 * The one reader of the store's head that a process's live consumers, its members, share. It keeps the newest events that
 * any member wants, parsed, in a window. Without members it does nothing.
 */
export type FeedTail<E> = {
  /** Admits a consumer that has read to the end of the store, at `position`. */
  join(filter: Filter, position: number): Membership<E>;
  /** Position of the newest event that this process knows of. */
  head(): number;
  /** Reports a position that was read elsewhere. */
  seen(position: number): void;
  close(): Promise<void>;
};

export type Membership<E> = {
  /**
   * The member's events in the window after the position. `uncovered`: the window was not yet read with the member's filter
   * from there on; go on reading pages. `lost`: the window no longer reaches back to there; leave.
   */
  since(position: number, eventsMax: number): Page<E> | 'uncovered' | 'lost';
  leave(): void;
};

/** Parsed events in the window, for consumers that lag a little: some 20 MB. */
const WINDOW_EVENTS_MAX = 20_000;
/** Events in one read of the head. */
const TAIL_PAGE_EVENTS_MAX = 1_000;

export function feedTail<E>(options: {
  store: EventStore<E>;
  runtime: Runtime;
  log?: Log | undefined;
  windowEventsMax?: number;
  /** The window grew, or members were admitted. */
  onAdvance: () => void;
  /** The lowest position of any consumer: earlier events are not needed. */
  lowest: () => number;
}): FeedTail<E> {
  const { store, runtime, log, onAdvance, windowEventsMax = WINDOW_EVENTS_MAX } = options;
  type Member = {
    filter: Filter;
    isWanted: ReturnType<typeof matcher<E>>;
    position: number;
    /** The window has all of this member's events after this position; null until it is read with the member's filter. */
    coveredFrom: number | null;
  };
  const members = new Set<Member>();
  /** The union of the members' filters; null when it has to be computed again. */
  let filters: readonly Filter[] | null = null;
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
        if (!closed)
          log?.[unlessOutage(error, 'warn')](
            { err: error, failures },
            'the head of the store could not be read',
          );
        await sleep(runtime, backOffMs(failures));
      }
    }
    running = null;
  };

  /** Covers new members from the next read on, the first that is made with their filters. */
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
    filters ??= unionOf([...members].map(({ filter }) => filter));
    const page = await store.readAll(to, filters, TAIL_PAGE_EVENTS_MAX);
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

  /** Drops the events that every consumer has, and the oldest ones beyond the window's bound. */
  const forget = () => {
    const needless = Math.max(firstAfter(events, options.lowest()), events.length - windowEventsMax);
    // Rarely enough that copying the rest costs next to nothing.
    if (needless < events.length && needless < windowEventsMax / 10) return;
    from =
      needless === events.length
        ? Math.max(from, Math.min(options.lowest(), to))
        : (events[needless - 1]?.position ?? from);
    events = events.slice(needless);
  };

  const since = (member: Member, position: number, eventsMax: number): Page<E> | 'uncovered' | 'lost' => {
    if (member.coveredFrom === null || position < member.coveredFrom) return 'uncovered';
    if (position < from) return 'lost';
    const matching: Recorded<E>[] = [];
    for (let i = firstAfter(events, position); i < events.length; i++) {
      const recorded = events[i];
      if (!recorded || !member.isWanted(recorded)) continue;
      if (matching.length === eventsMax) {
        return { events: matching, position: matching.at(-1)?.position ?? position, atEnd: false };
      }
      matching.push(recorded);
    }
    return { events: matching, position: to, atEnd: true };
  };

  return {
    join(filter, position) {
      const member: Member = {
        filter,
        isWanted: matcher(filter, store.codec),
        position,
        coveredFrom: null,
      };
      members.add(member);
      filters = null;
      leaveStore ??= store.onAppend(poke);
      poke();
      return {
        since: (after, eventsMax) => since(member, after, eventsMax),
        leave() {
          members.delete(member);
          filters = null;
        },
      };
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
