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
 * Work outside the store that events ask for: a mail to send, a deposit to collect. An event opens a task, and it
 * stays open, through crashes too, until the work on it is done. One process at a time works on a list, by lease.
 * What was done just before a crash may be done again: the work must bear that.
 */
export type TaskList<T extends { id: string }> = {
  /** Names the lease, the snapshot and the consumer of the feed. */
  name: string;
  /** Version of the form of `T`: another version's snapshot is ignored. */
  version: number;
  /** Category of the streams that are read, and the types of the events that open or close a task: no other is given. */
  category: string;
  types: readonly Event['type'][];
  opens(recorded: Recorded<Event>): T | null;
  /** Id of the task that this event shows to be done. */
  closes(recorded: Recorded<Event>): string | null;
  /**
   * Does it, or says when to look at it again: in so many milliseconds, or at a time of the wall clock (milliseconds since
   * the epoch), whatever steps that clock takes. A rejection is retried with a back-off. `attempt` counts from 1 since the
   * process has owned the list.
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

/** Worked on at the same time: each may wait for somebody slow. */
const AT_A_TIME_MAX = 16;
/** Open tasks in memory, some 300 bytes each; beyond it the feed waits. */
const OPEN_TASKS_MAX = 10_000;
const BATCH_EVENTS_MAX = 500;
/** A killed process repeats what it did since. */
const SAVE_EVERY_MS = 2_000;
/** At a stop, work that has begun is given this long; what is not done then is done again by the next owner. */
const FINISH_WITHIN_MS = 2_000;
/** The wall clock may be set, and goes on while a machine sleeps: timers would not notice. */
const CLOCK_LOOK_MS = 1_000;
const RETRY: BackOff = { firstMs: 250, lastMs: 30_000 };

export function startTasks<T extends { id: string }>(
  list: TaskList<T>,
  deps: TaskDeps,
): { open(): number; close(): Promise<void> } {
  const { leases, log } = deps;
  let owned: Owned | null = null;
  const role = ownRole({
    leases,
    name: list.name,
    log,
    start: async () => {
      const taken = await takeUp(list, deps);
      owned = taken;
      return {
        stop: async () => {
          owned = null;
          await taken.stop();
        },
      };
    },
  });
  return { open: () => owned?.open() ?? 0, close: () => role.stop() };
}

function tasksFrom<T>(state: string): T[] {
  const tasks = JSON.parse(state) as unknown;
  if (!Array.isArray(tasks)) throw new TypeError('open tasks are a list');
  return tasks as T[];
}

type Owned = { open(): number; stop(): Promise<void> };
type Open<T> = {
  task: T;
  attempts: number;
  /** Due once both have come: this time of the monotonic clock, and that of the wall clock. */
  dueMs: number;
  dueAtMs: number;
  busy: boolean;
};

/** Milliseconds until it is to be looked at: until it is due, or until the wall clock is. */
function timeLeftMs({ dueMs, dueAtMs }: Open<unknown>, { monotonicMs, nowMs }: Runtime): number {
  return Math.max(dueMs - monotonicMs(), Math.min(dueAtMs - nowMs(), CLOCK_LOOK_MS));
}

async function takeUp<T extends { id: string }>(
  list: TaskList<T>,
  { feed, snapshots, storeId, runtime, log }: TaskDeps,
): Promise<Owned> {
  const stopping = new AbortController();
  const key = { kind: 'tasks', key: list.name, version: list.version };
  const snapshot = await snapshots.load(key, ({ state }) => tasksFrom<T>(state));
  const tasks = new Map<string, Open<T>>();
  const add = (task: T) => tasks.set(task.id, { task, attempts: 0, dueMs: 0, dueAtMs: 0, busy: false });
  for (const task of snapshot?.state ?? []) add(task);

  let position = snapshot?.cursor.position ?? 0;
  let savedMs = runtime.monotonicMs();
  let busy = 0;
  // From the beginning, most tasks were closed long ago: nothing is begun before the end is reached. Behind a
  // snapshot only the last moments are read again, perhaps nothing at all.
  let caughtUp = snapshot !== null;
  let cancelTimer = () => {};
  let room = Promise.withResolvers<void>();

  const save = async () => {
    savedMs = runtime.monotonicMs();
    const state = JSON.stringify([...tasks.values()].map(({ task }) => task));
    await snapshots.save(key, { cursor: { storeId, position }, revision: -1, state });
  };
  /** Not one that an event has opened anew meanwhile. */
  const finish = (id: string, open = tasks.get(id)) => {
    if (tasks.get(id) === open && tasks.delete(id) && tasks.size < OPEN_TASKS_MAX) room.resolve();
  };

  const attending = new Set<Promise<void>>();
  const begin = (open: Open<T>) => {
    const attended = attend(open).finally(() => attending.delete(attended));
    attending.add(attended);
  };
  const attend = async (open: Open<T>) => {
    const { id } = open.task;
    open.busy = true;
    open.attempts += 1;
    busy += 1;
    try {
      const result = await list.work(open.task, open.attempts);
      if (result === 'done') finish(id, open);
      else if ('againAtMs' in result) open.dueAtMs = result.againAtMs;
      else open.dueMs = runtime.monotonicMs() + result.againInMs;
    } catch (err) {
      const waitMs = backOffMs(open.attempts, RETRY);
      open.dueMs = runtime.monotonicMs() + waitMs;
      const about = { err, list: list.name, task: id, attempts: open.attempts, waitMs };
      log[unlessOutage(err, 'warn')](about, 'a task is tried again');
    }
    open.busy = false;
    busy -= 1;
    pump();
  };

  const pump = () => {
    cancelTimer();
    if (stopping.signal.aborted || !caughtUp) return;
    let waitMs = Number.POSITIVE_INFINITY;
    for (const open of tasks.values()) {
      if (busy >= AT_A_TIME_MAX) return;
      if (open.busy) continue;
      const leftMs = timeLeftMs(open, runtime);
      if (leftMs <= 0) begin(open);
      else waitMs = Math.min(waitMs, leftMs);
    }
    if (waitMs < Number.POSITIVE_INFINITY) cancelTimer = runtime.setTimer(Math.max(1, waitMs), pump);
  };

  const handle = async (batch: Batch<Event>) => {
    for (const recorded of batch.events) {
      const done = list.closes(recorded);
      if (done !== null) finish(done);
      const task = list.opens(recorded);
      if (task && !tasks.has(task.id)) add(task);
    }
    position = batch.position;
    caughtUp ||= batch.live || tasks.size >= OPEN_TASKS_MAX;
    pump();
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
  pump();
  return {
    open: () => tasks.size,
    async stop() {
      stopping.abort();
      cancelTimer();
      await subscription.stop();
      await withinTime(runtime, FINISH_WITHIN_MS, Promise.all(attending), () => undefined);
      await save().catch((err: unknown) =>
        log[unlessOutage(err, 'warn')]({ err, list: list.name }, 'open tasks were not saved'),
      );
    },
  };
}
