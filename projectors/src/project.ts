import type { Event } from '@brokerx/contracts';
import {
  type Batch,
  backOffMs,
  type EventStore,
  type Feed,
  type Lease,
  type Leases,
  type Log,
  type Runtime,
  type Subscription,
  sleep,
  type Telemetry,
} from '@brokerx/infra';
import type pg from 'pg';
import { advance, advanceParking, ProjectionFailed, type Tables } from './advance.ts';
import { CursorMoved, openCursors } from './cursors.ts';
import { keyOf, type TableProjection } from './projection.ts';
import type { ProjectionMetrics } from './projectionMetrics.ts';

/**
 * Runs table projections. Those that stand at the same position travel as one *lane*: one subscription, one
 * transaction a batch, so that seven projections cost little more than their rows. One that stands elsewhere (new,
 * or halted by a defect) has a lane of its own until it has caught up, then the lanes are joined.
 *
 * Infrastructure errors are the feed's to repeat. A cursor that is not where it should be (another projector, a lost
 * reply of a commit, a deleted row) makes all lanes start afresh from the stored cursors.
 */
export type Projecting = {
  /** Where each projection stands, by key; empty while another process holds the leases. */
  positions(): Map<string, number>;
  /** Keys of projections that a defect has halted. */
  halted(): string[];
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
export const BATCH_EVENTS_MAX = 2_000;
/**
 * Time from one flush to the next while events come in small batches. A flush has a fixed price (three round trips,
 * a statement a table), and orders settle within it more often the longer it waits: it may cost a tenth of the
 * time, but never waits longer than a reader of his own writes would notice.
 */
const PACE_LEAST_MS = 25;
const PACE_MOST_MS = 100;
const PACE_FLUSHES = 10;
/** Position-only moves are told at most twenty times a second. */
const QUIET_PACE_MS = 50;
/**
 * Events that a lane may be behind another to be brought up to it while that one waits: well below a second. Not
 * positions, which a store may give with gaps of any size.
 */
const JOIN_EVENTS_MAX = 5_000;
const LEASE_RETRY_MS = 200;

type Lane = { members: TableProjection[]; position: number; subscription: Subscription };

export function startProjecting(options: Options): Projecting {
  const { projections, pool, store, feed, leases, runtime, log, metrics, telemetry } = options;
  const { batchEventsMax = BATCH_EVENTS_MAX } = options;
  const stopping = new AbortController();
  const halted = new Set<string>();
  let lanes: Lane[] = [];
  /** Aborted when this process must not project (any more): the lease is not ours. */
  let mayProject: AbortSignal = AbortSignal.abort();
  let grouping: Promise<void> | null = null;
  let fail: (error: unknown) => void = () => undefined;

  const tables: Tables = {
    pool,
    storeId: store.id,
    onParked(projection, { event, position }, err) {
      metrics.parked(projection);
      const about = { err, projection: keyOf(projection), position, event: event.id };
      log.error(about, 'an event could not be folded and is left out of this projection');
    },
  };

  const onForeign = (projection: TableProjection, builtFrom: string) => {
    const about = { projection: keyOf(projection), builtFrom, store: store.id };
    log.warn(about, 'the tables were built from another event store: they are built anew from this one');
  };

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
    for (const projection of members) metrics.moved(projection, position);
    return lane;
  };

  const handle = async (lane: Lane, batch: Batch<Event>): Promise<void> => {
    const startedMs = runtime.monotonicMs();
    try {
      const move = () => moveLane(lane, batch);
      // A batch without events only moves the cursor.
      await (batch.events.length === 0 ? move() : telemetry.span('project', spanOf(lane, batch), move));
    } catch (error) {
      if (error instanceof CursorMoved) regroup(error.message);
      if (error instanceof ProjectionFailed) halt(error);
      throw error;
    }
    lane.position = batch.position;
    const tookMs = runtime.monotonicMs() - startedMs;
    metrics.flushed(batch.events.length, tookMs);
    for (const projection of lane.members) {
      halted.delete(keyOf(projection));
      metrics.moved(projection, batch.position);
    }
    if (batch.live && lanes.length > 1 && lane !== lanes[0]) regroup('a projection has caught up');
    await pause(batch, tookMs);
  };

  /** Takes every member over the batch: together where all can, apart where one of them fails. */
  const moveLane = async (lane: Lane, batch: Batch<Event>): Promise<void> => {
    let together = lane.members;
    while (together.length > 0) {
      try {
        return await advance(tables, together, lane.position, batch);
      } catch (error) {
        if (!(error instanceof ProjectionFailed)) throw error;
        const { projection } = error;
        if (projection.onFailure === 'park') {
          await advanceParking(tables, projection, lane.position, batch);
        } else if (lane.members.length === 1 || !lanes.includes(lane)) {
          throw error;
        } else {
          halt(error);
          lane.members = lane.members.filter((member) => member !== projection);
          lanes.push(laneOf([projection], lane.position));
        }
        together = together.filter((member) => member !== projection);
      }
    }
  };

  const halt = (error: ProjectionFailed) => {
    const key = keyOf(error.projection);
    halted.add(key);
    metrics.halted(error.projection);
    log.error({ err: error, projection: key }, 'a projection that may leave nothing out is halted');
  };

  const pause = (batch: Batch<Event>, tookMs: number): Promise<void> => {
    if (batch.events.length >= batchEventsMax) return Promise.resolve();
    const paceMs =
      batch.events.length === 0
        ? QUIET_PACE_MS
        : Math.min(PACE_MOST_MS, Math.max(PACE_LEAST_MS, tookMs * PACE_FLUSHES));
    return sleep(runtime, Math.max(0, paceMs - tookMs), mayProject);
  };

  /** Starts all lanes afresh from the stored cursors. Never awaited by a handler: it waits for the handlers. */
  const regroup = (reason: string): void => {
    if (mayProject.aborted) return;
    log.info({ reason }, 'projections are grouped anew');
    grouping ??= group()
      .catch((error: unknown) => fail(error))
      .finally(() => {
        grouping = null;
      });
  };

  const group = async (): Promise<void> => {
    await stopLanes();
    for (let attempt = 1; !mayProject.aborted; attempt++) {
      try {
        const positions = await openCursors(pool, store.id, projections, onForeign);
        await bringTogether(positions);
        const places = [...new Set(positions.values())].sort((a, b) => b - a);
        if (mayProject.aborted) return;
        lanes = places.map((place) =>
          laneOf(
            projections.filter((projection) => positions.get(keyOf(projection)) === place),
            place,
          ),
        );
        return;
      } catch (error) {
        log.warn({ err: error, attempt }, 'the cursors of the projections could not be read');
        await sleep(runtime, backOffMs(attempt), mayProject);
      }
    }
  };

  /** Takes projections that are a little behind up to the foremost one. */
  const bringTogether = async (positions: Map<string, number>): Promise<void> => {
    const foremost = Math.max(...positions.values());
    for (const projection of projections) {
      const { categories, onFailure } = projection;
      let position = positions.get(keyOf(projection)) ?? 0;
      for (let events = 0; position < foremost && events < JOIN_EVENTS_MAX && !mayProject.aborted; ) {
        const page = await store.readAll(position, { categories }, batchEventsMax);
        events += page.events.length;
        const to = Math.min(page.position, foremost);
        const stretch = { events: page.events.filter((event) => event.position <= to), position: to };
        try {
          if (onFailure === 'park') await advanceParking(tables, projection, position, stretch);
          else await advance(tables, [projection], position, stretch);
        } catch (error) {
          if (!(error instanceof ProjectionFailed)) throw error;
          halt(error);
          break;
        }
        position = to;
        positions.set(keyOf(projection), position);
      }
    }
  };

  const stopLanes = async (): Promise<void> => {
    const former = lanes;
    lanes = [];
    await Promise.all(former.map(({ subscription }) => subscription.stop()));
    for (const projection of projections) projection.forget();
  };

  const run = async (): Promise<void> => {
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    failed.catch(() => undefined);
    while (!stopping.signal.aborted) {
      const held = await acquireAll(leases, projections, stopping.signal);
      if (!held) {
        await sleep(runtime, LEASE_RETRY_MS, stopping.signal);
        continue;
      }
      const lost = AbortSignal.any([stopping.signal, ...held.map((lease) => lease.lost)]);
      mayProject = lost;
      regroup('this process has the leases');
      await Promise.race([aborted(lost), failed]).finally(async () => {
        mayProject = AbortSignal.abort();
        await grouping;
        await stopLanes();
        await Promise.all(held.map((lease) => lease.release().catch(() => undefined)));
      });
      if (!stopping.signal.aborted) log.warn('a lease of the projections was lost');
    }
  };

  const ended = run();
  ended.catch(() => undefined);
  return {
    positions: () =>
      new Map(
        lanes.flatMap(({ members, position }) => members.map((member) => [keyOf(member), position] as const)),
      ),
    halted: () => [...halted].sort(),
    ended,
    async stop() {
      stopping.abort();
      await ended.catch(() => undefined);
    },
  };
}

const spanOf = (lane: Lane, { events, position }: Batch<Event>) => ({
  kind: 'consumer' as const,
  links: events.values().map(({ event }) => event.traceparent),
  attributes: { projections: lane.members.length, events: events.length, position },
});

/** All the leases or null. Always in the same order, so that two processes never wait for each other. */
async function acquireAll(
  leases: Leases,
  projections: readonly TableProjection[],
  stop: AbortSignal,
): Promise<Lease[] | null> {
  const held: Lease[] = [];
  for (const name of projections.map((projection) => `projection:${keyOf(projection)}`).sort()) {
    const lease = await leases.acquire(name, AbortSignal.any([stop, ...held.map(({ lost }) => lost)]));
    if (!lease) {
      await Promise.all(held.map((other) => other.release().catch(() => undefined)));
      return null;
    }
    held.push(lease);
  }
  return held;
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
