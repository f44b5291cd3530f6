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
 * Does work that is due a fixed time after events of a type, by a walk along the store that stays this time behind. What
 * is not yet due is in the store only, so memory holds one page of it, however much comes in. One process walks at a time,
 * by lease. After a crash the last page is walked again, and without its snapshot everything: the work must be repeatable.
 */
export type DelayedWork = {
  /** The name of the lease, and of the snapshot that says how far the walk has come. */
  name: string;
  /** Another version's snapshot is ignored. */
  version: number;
  /** The category of the streams that are walked. */
  category: string;
  /** The type of the events that ask for work. */
  opens: Event['type'];
  /** An event of this type in the same stream and page shows that there is nothing left to do, which saves a look. */
  closes: Event['type'];
  delayMs: number;
  /** Does the work, or returns when to look at it again. A rejection is retried with a back-off. */
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
/** Pieces of work at a time, because each may wait for a slow server. */
const AT_A_TIME_MAX = 8;
/** How often a wait looks at the clock, which may have been set forward, or have gone on while the machine slept. */
const CLOCK_EVERY_MS = 1_000;
/** How long a walk that has reached the end of the store waits at most: a new event is not due before the delay is over. */
const READ_EVERY_MS = 60_000;
const RETRY: BackOff = { firstMs: 250, lastMs: 30_000 };
/** Some six minutes of attempts, outages not counted. Work that always fails must not hold up the work behind it. */
const ATTEMPTS_MAX = 20;
/** How long a stop waits for work that has begun. What is not done by then, the next owner does again. */
const FINISH_WITHIN_MS = 2_000;

export function startDelayedWalk(job: DelayedWork, deps: WalkDeps): { close(): Promise<void> } {
  const { leases, runtime, log } = deps;
  const role = ownRole({
    leases,
    name: job.name,
    log,
    start: () => {
      const stopping = new AbortController();
      const walking = walk(job, deps, stopping.signal);
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

/** Walks until it is stopped; never rejects. */
async function walk(job: DelayedWork, deps: WalkDeps, stopping: AbortSignal): Promise<void> {
  const { snapshots, runtime, log } = deps;
  let position: number | null = null;
  let failures = 0;
  while (!stopping.aborted) {
    try {
      position ??= (await snapshots.load(keyOf(job), () => null))?.cursor.position ?? 0;
      position = await walkPage(job, deps, position, stopping);
      failures = 0;
    } catch (err) {
      failures += 1;
      const waitMs = backOffMs(failures, RETRY);
      log[unlessOutage(err, 'warn')]({ err, list: job.name, waitMs }, 'a delayed walk is tried again');
      await sleep(runtime, waitMs, stopping);
    }
  }
}

const keyOf = ({ name, version }: DelayedWork) => ({ kind: 'walk', key: name, version });

/** Waits until each event of the next page is due, and does its work. Returns the position after the page. */
async function walkPage(
  job: DelayedWork,
  deps: WalkDeps,
  position: number,
  stopping: AbortSignal,
): Promise<number> {
  const { store, snapshots, runtime } = deps;
  const filter = { categories: [job.category], types: [job.opens, job.closes] };
  const page = await store.readAll(position, filter, PAGE_EVENTS_MAX);
  const closed = new Set(
    page.events.flatMap(({ event, stream }) => (event.type === job.closes ? stream : [])),
  );
  const limit = pLimit(AT_A_TIME_MAX);
  const working: Promise<void>[] = [];
  for (const recorded of page.events) {
    if (recorded.event.type !== job.opens || closed.has(recorded.stream)) continue;
    await sleepUntil(runtime, Date.parse(recorded.event.time) + job.delayMs, stopping);
    working.push(limit(() => workOn(job, deps, recorded, stopping)));
  }
  await Promise.all(working);
  if (stopping.aborted) return position;
  if (page.position > position) {
    const cursor = { storeId: store.id, position: page.position };
    await snapshots.save(keyOf(job), { cursor, revision: -1, state: 'null' });
  }
  if (page.atEnd) {
    await sleepUntil(runtime, runtime.nowMs() + Math.min(job.delayMs, READ_EVERY_MS), stopping);
  }
  return page.position;
}

/** Works on one event until the work is done, given up, or the walk is stopped; never rejects. */
async function workOn(
  job: DelayedWork,
  { runtime, log }: WalkDeps,
  recorded: Recorded<Event>,
  stopping: AbortSignal,
): Promise<void> {
  let attempts = 0;
  while (!stopping.aborted) {
    try {
      const result = await job.work(recorded, stopping);
      if (result === 'done') return;
      attempts = 0;
      await sleepUntil(runtime, runtime.nowMs() + result.againInMs, stopping);
    } catch (err) {
      const level = unlessOutage(err, 'warn');
      const fields = { err, list: job.name, stream: recorded.stream };
      if (level === 'warn' && ++attempts >= ATTEMPTS_MAX) {
        log.error(fields, 'delayed work fails again and again and is left out');
        return;
      }
      const waitMs = backOffMs(Math.max(1, attempts), RETRY);
      log[level]({ ...fields, tries: attempts, waitMs }, 'delayed work is tried again');
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
