import { fairShare, heardElsewhere, type Lease, pastOf } from '@brokerx/infra';
import type { ParkedEvent } from './advance.ts';
import { apartForAWhile } from './apart.ts';
import { group, stopLanes } from './grouping.ts';
import { parkedLog } from './parkedLog.ts';
import { keyOf, type TableProjection } from './projection.ts';
import type { ProjectingOptions, Projector } from './projector.ts';
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

/** Events of one transaction (some 20,000 rows): about 200 ms of PostgreSQL's work. */
const BATCH_EVENTS_MAX = 2_000;
/** The prefix of lease names: `projection:wallets:1`. */
const ROLE = 'projection';

export function startProjecting(options: ProjectingOptions): Projecting {
  const projector = projectorOf(options);
  const { ended, halted, standstill } = projector;
  heardElsewhere(ended.promise);
  return {
    positions: () =>
      new Map(
        projector.lanes.flatMap(({ members, position }) =>
          members.map((member) => [keyOf(member), position] as const),
        ),
      ),
    halted: () => [...halted].sort(),
    standing: () => {
      const { ungroupedReason } = projector;
      return [...standstill.standing(), ...(ungroupedReason === null ? [] : [ungroupedReason])];
    },
    ended: ended.promise,
    async stop() {
      await end(projector);
      ended.resolve();
    },
  };
}

/** Joins the processes that share the projections, and takes up those that come to this one. */
function projectorOf(options: ProjectingOptions): Projector {
  const { projections, pool, store, leases, runtime, log, batchEventsMax = BATCH_EVENTS_MAX } = options;
  const projector: Projector = {
    ...options,
    batchEventsMax,
    tables: {
      pool,
      past: pastOf(store),
      onParked: (projection, events) => noteParked(projector, projection, events),
    },
    mode: 'settled',
    settling: Promise.resolve(),
    regroup: (reason) => regroup(projector, reason),
    lanes: [],
    ungroupedReason: null,
    owned: new Map(),
    halted: new Set(),
    apart: apartForAWhile(runtime),
    parked: parkedLog(log, runtime),
    turnedAway: new Set(),
    standstill: standstills(log, runtime),
    stopping: new AbortController(),
    ended: Promise.withResolvers(),
    share: fairShare({
      leases,
      runtime,
      log,
      role: ROLE,
      units: projections.map(keyOf).sort(),
      takeUp: (key, lease) => takeUp(projector, key, lease),
    }),
  };
  return projector;
}

async function takeUp(projector: Projector, key: string, lease: Lease): Promise<() => Promise<void>> {
  const { owned, halted, standstill, metrics } = projector;
  const leave = (reason: string): Promise<void> => {
    if (owned.get(key) !== lease) return Promise.resolve();
    owned.delete(key);
    halted.delete(key);
    standstill.over(key);
    metrics.left(key);
    return regroup(projector, reason);
  };
  owned.set(key, lease);
  lease.lost.addEventListener('abort', () => void leave('a lease was lost'), { once: true });
  await regroup(projector, 'a projection has come to this process');
  return () => leave('a projection goes to another process');
}

function regroup(projector: Projector, reason: string): Promise<void> {
  projector.log.debug({ reason }, 'projections are grouped anew');
  const isSettled = projector.mode === 'settled';
  projector.mode = 'due';
  if (isSettled) projector.settling = settle(projector);
  return projector.settling;
}

async function settle(projector: Projector): Promise<void> {
  // Those who regroup at the same moment share one grouping.
  await Promise.resolve();
  try {
    while (projector.mode === 'due') {
      projector.mode = 'grouping';
      await group(projector);
    }
  } catch (error) {
    // `end` waits for the grouping, so the grouping must not wait for `fail`.
    void fail(projector, error);
  } finally {
    projector.mode = 'settled';
  }
}

function noteParked(
  { apart, metrics, parked }: Projector,
  projection: TableProjection,
  events: readonly ParkedEvent[],
): void {
  apart.add(projection);
  metrics.parked(projection, events.length);
  parked.tell(projection, events);
}

async function end(projector: Projector): Promise<void> {
  projector.stopping.abort();
  await projector.share.stop();
  await projector.settling;
  await stopLanes(projector);
  projector.parked.close();
}

async function fail(projector: Projector, error: unknown): Promise<void> {
  await end(projector).finally(() => projector.ended.reject(error));
}
