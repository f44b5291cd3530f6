import type { Event } from '@brokerx/contracts';
import {
  type BackOff,
  type Batch,
  backOffMs,
  type Feed,
  type Leases,
  type Log,
  type Recorded,
  type Runtime,
  type Snapshots,
  type Subscription,
} from '@brokerx/infra';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import { withinTime } from '@brokerx/infra/runtime/waiting.ts';
import { ownRole } from './owner.ts';

/**
 * Does work outside the store that events ask for, such as to send a mail or to collect a deposit. An event opens a task,
 * which stays open, through crashes, too, until its work is done. One process at a time works on a list, by lease. What was
 * done just before a crash may be done again: the work must be repeatable.
 */
export type TaskList<T extends { id: string }> = {
  /** The name of the lease, of the snapshot and of the feed's consumer. */
  name: string;
  /** The version of the type `T`. Another version's snapshot is ignored. */
  version: number;
  /** The category of the streams that are read, and the types of the events that open or close a task. */
  category: string;
  types: readonly Event['type'][];
  /** The task that this event opens, if any. */
  opens(recorded: Recorded<Event>): T | null;
  /** The id of the task that this event shows to be done, if any. */
  closes(recorded: Recorded<Event>): string | null;
  /**
   * Does the work, or returns when to look at it again: in so many milliseconds, or when the wall clock shows a time
   * (milliseconds since the epoch), even if that clock is set meanwhile. A rejection is retried with a back-off. `attempt`
   * counts from 1 when this process takes the list over.
   */
  work(task: T, attempt: number): Promise<'done' | { againInMs: number } | { againAtMs: number }>;
};

export type TaskDeps = {
  feed: Feed<Event>;
  snapshots: Snapshots;
  leases: Leases;
  /** The store that the feed reads. */
  storeId: string;
  runtime: Runtime;
  log: Log;
};

/** Tasks worked on at a time, because each may wait for a slow server. */
const AT_A_TIME_MAX = 16;
/** Open tasks in memory, some 300 bytes each. When there are so many, the feed waits. */
const OPEN_TASKS_MAX = 10_000;
const BATCH_EVENTS_MAX = 500;
/** Time between snapshots: the successor of a killed process repeats what was done since the last one. */
const SAVE_EVERY_MS = 2_000;
/** How long a stop waits for work that has begun. What is not done by then, the next owner does again. */
const FINISH_WITHIN_MS = 2_000;
/** How often the wall clock is looked at: timers do not notice when it is set, or goes on while the machine sleeps. */
const CLOCK_EVERY_MS = 1_000;
const RETRY: BackOff = { firstMs: 250, lastMs: 30_000 };

export function startTasks<T extends { id: string }>(
  list: TaskList<T>,
  deps: TaskDeps,
): { open(): number; close(): Promise<void> } {
  const { leases, log } = deps;
  let running: RunningList | null = null;
  const role = ownRole({
    leases,
    name: list.name,
    log,
    start: async () => {
      const taken = await takeUp(list, deps);
      running = taken;
      return {
        stop: async () => {
          running = null;
          await taken.stop();
        },
      };
    },
  });
  return { open: () => running?.open() ?? 0, close: () => role.stop() };
}

function tasksFrom<T>(state: string): T[] {
  const tasks = JSON.parse(state) as unknown;
  if (!Array.isArray(tasks)) throw new TypeError('open tasks are a list');
  return tasks as T[];
}

type RunningList = { open(): number; stop(): Promise<void> };
type OpenTask<T> = {
  task: T;
  attempts: number;
  /** The task is due when both times have come: `dueMs` of the monotonic clock and `dueAtMs` of the wall clock. */
  dueMs: number;
  dueAtMs: number;
  isBusy: boolean;
};

/** Milliseconds until the task is due, or until the wall clock is to be looked at again. */
function timeLeftMs({ dueMs, dueAtMs }: OpenTask<unknown>, { monotonicMs, nowMs }: Runtime): number {
  return Math.max(dueMs - monotonicMs(), Math.min(dueAtMs - nowMs(), CLOCK_EVERY_MS));
}

async function takeUp<T extends { id: string }>(
  list: TaskList<T>,
  { feed, snapshots, storeId, runtime, log }: TaskDeps,
): Promise<RunningList> {
  const stopping = new AbortController();
  const key = { kind: 'tasks', key: list.name, version: list.version };
  const snapshot = await snapshots.load(key, ({ state }) => tasksFrom<T>(state));
  const tasks = new Map<string, OpenTask<T>>();
  const add = (task: T) => tasks.set(task.id, { task, attempts: 0, dueMs: 0, dueAtMs: 0, isBusy: false });
  for (const task of snapshot?.state ?? []) add(task);

  let position = snapshot?.cursor.position ?? 0;
  let savedMs = runtime.monotonicMs();
  let busyCount = 0;
  // Without a snapshot all events are read, and most of their tasks were closed long ago, so no work begins before the end
  // is reached. After a snapshot only the last moments are read, or nothing at all, so work may begin at once.
  let caughtUp = snapshot !== null;
  let cancelTimer = () => {};
  let room = Promise.withResolvers<void>();

  const save = async () => {
    savedMs = runtime.monotonicMs();
    const state = JSON.stringify([...tasks.values()].map(({ task }) => task));
    await snapshots.save(key, { cursor: { storeId, position }, revision: -1, state });
  };
  /** Closes a task, unless it was closed and opened anew meanwhile. */
  const close = (id: string, openTask = tasks.get(id)) => {
    if (tasks.get(id) === openTask && tasks.delete(id) && tasks.size < OPEN_TASKS_MAX) room.resolve();
  };

  const working = new Set<Promise<void>>();
  const begin = (openTask: OpenTask<T>) => {
    const work = workOn(openTask).finally(() => working.delete(work));
    working.add(work);
  };
  const workOn = async (openTask: OpenTask<T>) => {
    const { id } = openTask.task;
    openTask.isBusy = true;
    openTask.attempts += 1;
    busyCount += 1;
    try {
      const result = await list.work(openTask.task, openTask.attempts);
      if (result === 'done') close(id, openTask);
      else if ('againAtMs' in result) openTask.dueAtMs = result.againAtMs;
      else openTask.dueMs = runtime.monotonicMs() + result.againInMs;
    } catch (err) {
      const waitMs = backOffMs(openTask.attempts, RETRY);
      openTask.dueMs = runtime.monotonicMs() + waitMs;
      const fields = { err, list: list.name, task: id, attempts: openTask.attempts, waitMs };
      log[unlessOutage(err, 'warn')](fields, 'a task is tried again');
    }
    openTask.isBusy = false;
    busyCount -= 1;
    beginDue();
  };

  const beginDue = () => {
    cancelTimer();
    if (stopping.signal.aborted || !caughtUp) return;
    let waitMs = Number.POSITIVE_INFINITY;
    for (const openTask of tasks.values()) {
      if (busyCount >= AT_A_TIME_MAX) return;
      if (openTask.isBusy) continue;
      const leftMs = timeLeftMs(openTask, runtime);
      if (leftMs <= 0) begin(openTask);
      else waitMs = Math.min(waitMs, leftMs);
    }
    if (waitMs < Number.POSITIVE_INFINITY) cancelTimer = runtime.setTimer(Math.max(1, waitMs), beginDue);
  };

  const handle = async (batch: Batch<Event>) => {
    for (const recorded of batch.events) {
      const closedId = list.closes(recorded);
      if (closedId !== null) close(closedId);
      const task = list.opens(recorded);
      if (task && !tasks.has(task.id)) add(task);
    }
    position = batch.position;
    caughtUp ||= batch.live || tasks.size >= OPEN_TASKS_MAX;
    beginDue();
    if (runtime.monotonicMs() - savedMs >= SAVE_EVERY_MS) await save();
    if (tasks.size >= OPEN_TASKS_MAX) {
      log.error({ list: list.name, open: tasks.size }, 'too many tasks are open; no more are taken up');
      room = Promise.withResolvers<void>();
      stopping.signal.addEventListener('abort', () => room.resolve(), { once: true });
      await room.promise;
    }
  };

  const subscription: Subscription = feed.subscribe({
    name: list.name,
    after: snapshot?.cursor ?? null,
    filter: { categories: [list.category], types: list.types },
    batchEventsMax: BATCH_EVENTS_MAX,
    handle,
  });
  beginDue();
  return {
    open: () => tasks.size,
    async stop() {
      stopping.abort();
      cancelTimer();
      await subscription.stop();
      await withinTime(runtime, FINISH_WITHIN_MS, Promise.all(working), () => undefined);
      await save().catch((err: unknown) =>
        log[unlessOutage(err, 'warn')]({ err, list: list.name }, 'open tasks were not saved'),
      );
    },
  };
}
