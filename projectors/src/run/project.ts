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
 * Runs table projections. All projector processes share them fairly, with a lease for each. Projections at the same position form
 * a *lane*: one subscription, and one transaction a batch, so that seven projections take little more time than their rows. A
 * projection elsewhere (a new one, or one halted by a defect) has a lane of its own until it has caught up; then the lanes are
 * joined. A projection that meets events which it cannot fold gets a lane of its own at once, so that they delay no other, and
 * comes back after a while without any.
 *
 * The feed repeats after errors of the infrastructure. A cursor that is not where it should be (another projector, a lost reply
 * of a commit, a deleted row) makes all lanes start afresh from the stored cursors.
 */
export type Projecting = {
  /** Stored positions of this process's projections, by key. */
  positions(): Map<string, number>;
  /** Keys of projections that a defect has halted. */
  halted(): string[];
  /** Projections that fail at their stored cursors again and again, each with its position. */
  standing(): string[];
  /** Resolves when stopped; rejects with an error that repeating does not mend. */
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

/** Events of one transaction (some 20,000 rows): about 200 ms of PostgreSQL's work. */
const BATCH_EVENTS_MAX = 2_000;
/** Milliseconds between looks whether a lane's leases are held, after the process has slept. */
const DOUBT_LOOK_MS = 50;
/** After so many failures in a row to group the projections, the process reports itself as not ready. */
const UNGROUPED_ATTEMPTS = 3;
/** The prefix of lease names: `projection:wallets:1`. */
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
  /** The reason why the projections could not be grouped, once that has lasted. */
  let ungroupedReason: string | null = null;
  const { promise: ended, resolve: hasEnded, reject: hasFailed } = Promise.withResolvers<void>();
  heardElsewhere(ended);

  const parked = parkedLog(log, runtime);
  const apart = apartForAWhile(runtime);
  const standstill = standstills(log, runtime);
  /** Projections whose stored cursors were not where this process took them to be. */
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

  /** Starts a lane of projections whose stored cursors are all at `position`. */
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

  /** True where the lane could be joined with another one. */
  const mayJoin = (lane: Lane): boolean => {
    const joinable = lanes.filter(({ members }) => !members.some(apart.has));
    return joinable.includes(lane) && lane !== joinable[0];
  };

  /**
   * Waits until the leases of a lane are known to be held. After the process has slept they may be lost: until it is clear, nothing
   * is written or announced. Where one is lost, the lanes are grouped anew without it.
   */
  const outOfDoubt = async (lane: Lane): Promise<void> => {
    while (!lane.members.every(isHeld)) {
      if (!lanes.includes(lane)) throw new Error('its leases were lost');
      await sleep(runtime, DOUBT_LOOK_MS);
    }
  };

  /**
   * Advances all members over the batch, together. A member that fails gets a lane of its own. Returns the position of the
   * lane's members afterwards.
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
   * Starts lanes afresh, from the stored cursors, for the projections that this process owns by then. A handler must not await it,
   * since it waits for the handlers.
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
        ungroupedReason = null;
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
        if (attempt >= UNGROUPED_ATTEMPTS) ungroupedReason = `not begun: ${asError(error).message}`;
        await sleep(runtime, backOffMs(attempt), stopping.signal);
      }
    }
  };

  /** Puts projections that stand still into lanes of their own, so that they delay no other. */
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
    const ownership: Owned = { lease };
    const leave = (reason: string): Promise<void> => {
      if (owned.get(key) !== ownership) return Promise.resolve();
      owned.delete(key);
      halted.delete(key);
      standstill.over(key);
      metrics.left(key);
      return regroup(reason);
    };
    owned.set(key, ownership);
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
    // `end` waits for the grouping, so the grouping must not wait for `fail`.
    await end().finally(() => hasFailed(error));
  };

  return {
    positions: () =>
      new Map(
        lanes.flatMap(({ members, position }) => members.map((member) => [keyOf(member), position] as const)),
      ),
    halted: () => [...halted].sort(),
    standing: () => [...standstill.standing(), ...(ungroupedReason === null ? [] : [ungroupedReason])],
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
