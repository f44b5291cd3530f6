import type { Event } from '@brokerx/contracts';
import type {
  EventStore,
  FairShare,
  Feed,
  Lease,
  Leases,
  Log,
  Runtime,
  Subscription,
  Telemetry,
} from '@brokerx/infra';
import type pg from 'pg';
import type { ProjectionFailed, Tables } from './advance.ts';
import type { Apart } from './apart.ts';
import type { ProjectionMetrics } from './metrics.ts';
import type { ParkedLog } from './parkedLog.ts';
import { keyOf, type TableProjection } from './projection.ts';
import type { Standstills } from './standstill.ts';

/**
 * The projections of one process at work. They run in lanes, which are grouped anew whenever they no longer fit the projections
 * that the process owns, or the stored cursors:
 *
 *     settled ──regroup──▶ due ──▶ grouping ──lanes begin──▶ settled
 *                           ▲────regroup─────┘
 *
 * `stopping` may be aborted in each mode: a grouping then ends without lanes.
 */
export type Projector = ProjectingOptions & {
  readonly batchEventsMax: number;
  readonly tables: Tables;

  /** Whether the lanes fit. */
  mode: 'settled' | 'due' | 'grouping';
  /** Resolves when the projector is settled again. */
  settling: Promise<void>;
  /** Groups the projections anew. A handler must not await it, since it waits for the handlers. */
  readonly regroup: (reason: string) => Promise<void>;
  lanes: Lane[];
  /** The reason why the projections could not be grouped, once that has lasted. */
  ungroupedReason: string | null;

  /** This process's part of the projections. */
  readonly share: FairShare;
  /** Leases of the projections that are this process's, by key. */
  readonly owned: Map<string, Lease>;
  /** Keys of projections that a defect has halted. */
  readonly halted: Set<string>;
  readonly apart: Apart;
  readonly parked: ParkedLog;
  /** Projections whose stored cursors were not where this process took them to be. */
  readonly turnedAway: Set<TableProjection>;
  readonly standstill: Standstills;

  readonly stopping: AbortController;
  readonly ended: PromiseWithResolvers<void>;
};

/** What `startProjecting` is given. */
export type ProjectingOptions = {
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

/** Projections at one position, with one subscription, and one transaction a batch. */
export type Lane = { members: TableProjection[]; position: number; subscription: Subscription };

export const isHeld = ({ owned }: Projector, projection: TableProjection): boolean =>
  owned.get(keyOf(projection))?.isHeld() ?? false;

/** Notes that a projection which may leave nothing out has met an event that it cannot fold. */
export function halt({ halted, metrics, log }: Projector, error: ProjectionFailed): void {
  const key = keyOf(error.projection);
  halted.add(key);
  metrics.halted(error.projection);
  log.error({ err: error, projection: key }, 'a projection that may leave nothing out is halted');
}
