import type { Event } from '@brokerx/contracts';
import {
  asError,
  type Batch,
  backOffMs,
  type Cursor,
  type EventStore,
  type Feed,
  fairShare,
  heardElsewhere,
  type Lease,
  type Leases,
  type Log,
  pastOf,
  type Runtime,
  type Subscription,
  sleep,
  type Telemetry,
  unlessOutage,
} from '@brokerx/infra';
import type pg from 'pg';
import { advance, ProjectionFailed, type Tables } from './advance.ts';
import { CursorMoved, openCursors } from './cursors.ts';
import { bringTogether } from './joining.ts';
import { apartForAWhile, together } from './lanes.ts';
import type { ProjectionMetrics } from './metrics.ts';
import { restMs } from './pace.ts';
import { parkedLog } from './parkedLog.ts';
import { advanceParking } from './parking.ts';
import { keyOf, type TableProjection } from './projection.ts';
import { standstills } from './standstill.ts';

/**
 * Runs table projections: the processes that do share them fairly, each projection a lease. Those that stand at the same position travel as one *lane*: one subscription, one
 * transaction a batch, so that seven projections cost little more than their rows. One that stands elsewhere (new,
 * or halted by a defect) has a lane of its own until it has caught up, then the lanes are joined. One that meets events
 * which it cannot fold goes on by itself at once, so that they cost the others nothing, and comes back after a while
 * without any.
 *
 * Infrastructure errors are the feed's to repeat. A cursor that is not where it should be (another projector, a lost
 * reply of a commit, a deleted row) makes all lanes start afresh from the stored cursors.
 */
export type Projecting = {
  /** Where each projection of this process stands, by key, as it is stored. */
  positions(): Map<string, number>;
  /** Keys of projections that a defect has halted. */
  halted(): string[];
  /** Projections that do not get on, each with its place: turned away at their stored cursors again and again. */
  standing(): string[];
  /** Rejects with what cannot be mended by repeating. Resolves when stopped. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

type Options = {
  projections: readonly TableProjection[];
  pool: pg.Pool;
  store: EventStore<Event>;
  feed: Feed<Event>;
  leases: Leases;
  runtime: Runtime;
  log: Log;
  metrics: ProjectionMetrics;
  telemetry: Telemetry;
  batchEventsMax?: number;
};

/** One transaction's events (some 20,000 rows): about 200 ms of PostgreSQL's work. */
const BATCH_EVENTS_MAX = 2_000;
/** A lane whose leases are in doubt looks this often whether they are its own again. */
const DOUBT_LOOK_MS = 50;
/** Failures to group the projections, one after another, that are told to who asks whether this process works. */
const UNGROUPED_ATTEMPTS = 3;
/** Begins the names of the leases: `projection:wallets:1`. */
const ROLE = 'projection';

const BUILT_ANEW =
  'the tables were built from another event store, or from another past of it: they are built anew from this one';

type Owned = { lease: Lease };
type Lane = { members: TableProjection[]; position: number; subscription: Subscription };

export function startProjecting(options: Options): Projecting {
  const { projections, pool, store, feed, leases, runtime, log, metrics, telemetry } = options;
  const { batchEventsMax = BATCH_EVENTS_MAX } = options;
  const stopping = new AbortController();
  const halted = new Set<string>();
  let lanes: Lane[] = [];
  const owned = new Map<string, Owned>();
  let grouping: Promise<void> | null = null;
  let isGroupingDue = false;
  /** Why the projections are in no lanes, when that lasts. */
  let ungrouped: string | null = null;
  const { promise: ended, resolve: hasEnded, reject: hasFailed } = Promise.withResolvers<void>();
  heardElsewhere(ended);

  const parked = parkedLog(log, runtime);
  const apart = apartForAWhile(runtime);
  const standstill = standstills(log, runtime);
  /** Projections that found their cursors elsewhere than this process took them to be. */
  const turnedAway = new Set<TableProjection>();
  const isHeld = (projection: TableProjection) => owned.get(keyOf(projection))?.lease.isHeld() ?? false;

  const past = pastOf(store);
  const tables: Tables = {
    pool,
    past,
    onParked(projection, events) {
      apart.add(projection);
      metrics.parked(projection, events.length);
      parked.tell(projection, events);
    },
  };

  const onForeign = (projection: TableProjection, builtFrom: Cursor) =>
    log.warn({ projection: keyOf(projection), builtFrom, store: store.id }, BUILT_ANEW);

  /** `position`: where their stored cursors stand. */
  const laneOf = (members: TableProjection[], position: number): Lane => {
    const lane: Lane = {
      members,
      position,
      subscription: feed.subscribe({
        name: members.map(keyOf).join(' '),
        after: { storeId: store.id, position },
        filter: { categories: [...new Set(members.flatMap(({ categories }) => categories))].sort() },
        batchEventsMax,
        handle: (batch) => handle(lane, batch),
      }),
    };
    return lane;
  };

  const handle = async (lane: Lane, batch: Batch<Event>): Promise<void> => {
    await outOfDoubt(lane);
    const startedMs = runtime.monotonicMs();
    try {
      const move = () => moveLane(lane, batch);
      // A batch without events only moves the cursor.
      lane.position = await (batch.events.length === 0
        ? move()
        : telemetry.span('project', spanOf(lane, batch), move));
    } catch (error) {
      if (error instanceof CursorMoved) {
        for (const projection of error.projections) turnedAway.add(projection);
        regroup(error.message);
      }
      if (error instanceof ProjectionFailed) halt(error);
      throw error;
    }
    const tookMs = runtime.monotonicMs() - startedMs;
    metrics.flushed(batch.events.length, tookMs);
    for (const projection of lane.members) {
      halted.delete(keyOf(projection));
      standstill.over(keyOf(projection));
      metrics.moved(projection, lane.position);
    }
    if (batch.live && mayJoin(lane)) regroup('a projection has caught up');
    const waitMs = restMs(batch, tookMs, batchEventsMax);
    if (waitMs > 0) await sleep(runtime, waitMs, stopping.signal);
  };

  /** It stands beside a lane that it may travel with. */
  const mayJoin = (lane: Lane): boolean => {
    const joinable = lanes.filter(({ members }) => !members.some(apart.has));
    return joinable.includes(lane) && lane !== joinable[0];
  };

  /**
   * Whether its leases are this process's own is not known after it slept: until then nothing is written, and nothing
   * said to be. Where one is lost the lanes are grouped anew without it.
   */
  const outOfDoubt = async (lane: Lane): Promise<void> => {
    while (!lane.members.every(isHeld)) {
      if (!lanes.includes(lane)) throw new Error('its leases were lost');
      await sleep(runtime, DOUBT_LOOK_MS);
    }
  };

  /**
   * Takes every member over the batch: together where all can; one of them that fails goes on by itself. Gives where
   * the lane's members stand then.
   */
  const moveLane = async (lane: Lane, batch: Batch<Event>): Promise<number> => {
    let going = lane.members;
    let reached = lane.position;
    while (going.length > 0) {
      try {
        return await advance(tables, going, lane.position, batch);
      } catch (error) {
        if (!(error instanceof ProjectionFailed)) throw error;
        const { projection } = error;
        const parks = projection.onFailure === 'park';
        if (lane.members.length === 1 || !lanes.includes(lane)) {
          if (!parks) throw error;
          reached = await advanceParking(tables, projection, lane.position, batch);
        } else {
          if (parks) apart.add(projection);
          else halt(error);
          lane.members = lane.members.filter((member) => member !== projection);
          lanes.push(laneOf([projection], lane.position));
        }
        going = going.filter((member) => member !== projection);
      }
    }
    return reached;
  };

  const halt = (error: ProjectionFailed) => {
    const key = keyOf(error.projection);
    halted.add(key);
    metrics.halted(error.projection);
    log.error({ err: error, projection: key }, 'a projection that may leave nothing out is halted');
  };

  /**
   * Starts all lanes afresh, those of the projections that are owned by then, from the stored cursors. Never awaited
   * by a handler: it waits for the handlers.
   */
  const regroup = (reason: string): Promise<void> => {
    log.debug({ reason }, 'projections are grouped anew');
    isGroupingDue = true;
    grouping ??= Promise.resolve()
      .then(async () => {
        while (isGroupingDue) {
          isGroupingDue = false;
          await group();
        }
      })
      .catch((error: unknown) => void fail(error))
      .finally(() => {
        grouping = null;
      });
    return grouping;
  };

  const group = async (): Promise<void> => {
    await stopLanes();
    for (let attempt = 1; !stopping.signal.aborted && !isGroupingDue; attempt++) {
      const mine = projections.filter((projection) => owned.has(keyOf(projection)));
      if (mine.length === 0) return;
      try {
        const positions = await openCursors(pool, past, mine, onForeign);
        const standsAt = (projection: TableProjection) => positions.get(keyOf(projection)) ?? 0;
        leaveStanding(mine, standsAt);
        await bringTogether({
          projections: mine.filter((projection) => !apart.has(projection)),
          positions,
          tables,
          store,
          batchEventsMax,
          isHeld,
          onFailed: halt,
        });
        for (const projection of mine) metrics.moved(projection, standsAt(projection));
        if (stopping.signal.aborted || isGroupingDue) return;
        ungrouped = null;
        lanes = together(mine, positions, apart.has).map((members) =>
          laneOf(members, standsAt(members[0] as TableProjection)),
        );
        log.info({ projections: mine.map(keyOf), lanes: lanes.length }, 'projecting');
        return;
      } catch (error) {
        log[unlessOutage(error, 'warn')](
          { err: error, attempt },
          'the projections could not be grouped; it is tried again',
        );
        if (attempt >= UNGROUPED_ATTEMPTS) ungrouped = `not begun: ${asError(error).message}`;
        await sleep(runtime, backOffMs(attempt), stopping.signal);
      }
    }
  };

  /** One that is turned away again and again at one place holds up nobody else. */
  const leaveStanding = (
    mine: readonly TableProjection[],
    standsAt: (projection: TableProjection) => number,
  ): void => {
    for (const projection of mine) {
      if (!turnedAway.has(projection)) continue;
      if (standstill.turnedAway(projection, standsAt(projection))) apart.add(projection);
    }
    turnedAway.clear();
  };

  const stopLanes = async (): Promise<void> => {
    const former = lanes;
    lanes = [];
    await Promise.all(former.map(({ subscription }) => subscription.stop()));
    for (const projection of projections) projection.forget();
  };

  const takeUp = async (key: string, lease: Lease) => {
    const its: Owned = { lease };
    const leave = (reason: string): Promise<void> => {
      if (owned.get(key) !== its) return Promise.resolve();
      owned.delete(key);
      halted.delete(key);
      standstill.over(key);
      metrics.left(key);
      return regroup(reason);
    };
    owned.set(key, its);
    lease.lost.addEventListener('abort', () => void leave('a lease was lost'), { once: true });
    await regroup('a projection has come to this process');
    return () => leave('a projection goes to another process');
  };
  const share = fairShare({
    leases,
    runtime,
    log,
    role: ROLE,
    units: projections.map(keyOf).sort(),
    takeUp,
  });

  const end = async (): Promise<void> => {
    stopping.abort();
    await share.stop();
    await grouping;
    await stopLanes();
    parked.close();
  };
  const fail = async (error: unknown): Promise<void> => {
    // A moment later: what waits for the grouping must not wait for itself.
    await end().finally(() => hasFailed(error));
  };

  return {
    positions: () =>
      new Map(
        lanes.flatMap(({ members, position }) => members.map((member) => [keyOf(member), position] as const)),
      ),
    halted: () => [...halted].sort(),
    standing: () => [...standstill.standing(), ...(ungrouped === null ? [] : [ungrouped])],
    ended,
    async stop() {
      await end();
      hasEnded();
    },
  };
}

const spanOf = (lane: Lane, { events, position }: Batch<Event>) => ({
  kind: 'consumer' as const,
  links: events.values().map(({ event }) => event.traceparent),
  attributes: { projections: lane.members.length, events: events.length, position },
});
