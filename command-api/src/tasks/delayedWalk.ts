import type { Event } from '@brokerx/contracts';
import {
  type BackOff,
  backOffMs,
  type EventStore,
  type Leases,
  type Log,
  type Recorded,
  type Runtime,
  type Snapshots,
  sleep,
} from '@brokerx/infra';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import { withinTime } from '@brokerx/infra/runtime/waiting.ts';
import pLimit from 'p-limit';
import { ownRole } from './owner.ts';

/**
 * Work that is due a fixed time after events of a type: a walk along the store that stays this time behind. What waits is
 * in the store alone, so that memory holds one page of it, however much comes in. One process walks at a time, by lease.
 * After a crash the page it was at is walked again, and without its snapshot everything is: the work must bear that.
 */
export type DelayedWork = {
  /** Names the lease and the snapshot of how far it came. */
  name: string;
  /** Another version's snapshot is ignored. */
  version: number;
  /** Category of the streams that are walked, and the type of the events that ask for work. */
  category: string;
  opens: Event['type'];
  /** Where one of these stands soon behind it in its stream, there is nothing to do: it saves looking. */
  closes: Event['type'];
  delayMs: number;
  /** Does it, or says after how many milliseconds to look at it again. A rejection is retried with a back-off. */
  work(recorded: Recorded<Event>, stopping: AbortSignal): Promise<'done' | { againInMs: number }>;
};

export type WalkDeps = {
  store: EventStore<Event>;
  snapshots: Snapshots;
  leases: Leases;
  runtime: Runtime;
  log: Log;
};

/** Events in memory, some 2 KB each. */
const PAGE_EVENTS_MAX = 500;
/** Worked on at the same time: each may wait for somebody slow. */
const AT_A_TIME_MAX = 8;
/** The clock is looked at as often, be it set forward or the machine have slept. */
const CLOCK_EVERY_MS = 1_000;
/** Behind the end of the store nothing can be due before the delay is over; so it is read seldom. */
const READ_EVERY_MS = 60_000;
const RETRY: BackOff = { firstMs: 250, lastMs: 30_000 };
/** Some six minutes, outages of servers not counted: one that never works must not hold up those behind it. */
const TRIES_MAX = 20;
/** At a stop, work that has begun is given this long; what is not done then is done again by the next owner. */
const FINISH_WITHIN_MS = 2_000;

export function startDelayedWalk(list: DelayedWork, deps: WalkDeps): { close(): Promise<void> } {
  const { leases, runtime, log } = deps;
  const role = ownRole({
    leases,
    name: list.name,
    log,
    start: () => {
      const stopping = new AbortController();
      const walking = walk(list, deps, stopping.signal);
      return {
        async stop() {
          stopping.abort();
          await withinTime(runtime, FINISH_WITHIN_MS, walking, () => undefined);
        },
      };
    },
  });
  return { close: () => role.stop() };
}

/** Goes on until it is stopped; rejects never. */
async function walk(list: DelayedWork, deps: WalkDeps, stopping: AbortSignal): Promise<void> {
  const { snapshots, runtime, log } = deps;
  let position: number | null = null;
  let failures = 0;
  while (!stopping.aborted) {
    try {
      position ??= (await snapshots.load(keyOf(list), () => null))?.cursor.position ?? 0;
      position = await walkPage(list, deps, position, stopping);
      failures = 0;
    } catch (err) {
      failures += 1;
      const waitMs = backOffMs(failures, RETRY);
      log[unlessOutage(err, 'warn')]({ err, list: list.name, waitMs }, 'a delayed walk is tried again');
      await sleep(runtime, waitMs, stopping);
    }
  }
}

const keyOf = ({ name, version }: DelayedWork) => ({ kind: 'walk', key: name, version });

/** Waits for each event of the page to become due, and does what it asks for; gives the position after it. */
async function walkPage(
  list: DelayedWork,
  deps: WalkDeps,
  position: number,
  stopping: AbortSignal,
): Promise<number> {
  const { store, snapshots, runtime } = deps;
  const filter = { categories: [list.category], types: [list.opens, list.closes] };
  const page = await store.readAll(position, filter, PAGE_EVENTS_MAX);
  const closed = new Set(
    page.events.flatMap(({ event, stream }) => (event.type === list.closes ? stream : [])),
  );
  const limit = pLimit(AT_A_TIME_MAX);
  const attending: Promise<void>[] = [];
  for (const recorded of page.events) {
    if (recorded.event.type !== list.opens || closed.has(recorded.stream)) continue;
    await sleepUntil(runtime, Date.parse(recorded.event.time) + list.delayMs, stopping);
    attending.push(limit(() => attend(list, deps, recorded, stopping)));
  }
  await Promise.all(attending);
  if (stopping.aborted) return position;
  if (page.position > position) {
    const cursor = { storeId: store.id, position: page.position };
    await snapshots.save(keyOf(list), { cursor, revision: -1, state: 'null' });
  }
  if (page.atEnd) {
    await sleepUntil(runtime, runtime.nowMs() + Math.min(list.delayMs, READ_EVERY_MS), stopping);
  }
  return page.position;
}

/** Works on it until it is done, or given up, or the walk is stopped; rejects never. */
async function attend(
  list: DelayedWork,
  { runtime, log }: WalkDeps,
  recorded: Recorded<Event>,
  stopping: AbortSignal,
): Promise<void> {
  let tries = 0;
  while (!stopping.aborted) {
    try {
      const result = await list.work(recorded, stopping);
      if (result === 'done') return;
      tries = 0;
      await sleepUntil(runtime, runtime.nowMs() + result.againInMs, stopping);
    } catch (err) {
      const level = unlessOutage(err, 'warn');
      const about = { err, list: list.name, stream: recorded.stream };
      if (level === 'warn' && ++tries >= TRIES_MAX) {
        log.error(about, 'delayed work fails again and again and is left out');
        return;
      }
      const waitMs = backOffMs(Math.max(1, tries), RETRY);
      log[level]({ ...about, tries, waitMs }, 'delayed work is tried again');
      await sleep(runtime, waitMs, stopping);
    }
  }
}

async function sleepUntil(runtime: Runtime, atMs: number, stopping: AbortSignal): Promise<void> {
  for (;;) {
    const leftMs = atMs - runtime.nowMs();
    if (leftMs <= 0 || stopping.aborted) return;
    await sleep(runtime, Math.min(leftMs, CLOCK_EVERY_MS), stopping);
  }
}
