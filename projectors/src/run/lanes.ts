import type { Event } from '@brokerx/contracts';
import { type Batch, sleep } from '@brokerx/infra';
import { advance, ProjectionFailed } from './advance.ts';
import { CursorMoved } from './cursors.ts';
import { restMs } from './pace.ts';
import { advanceParking } from './parking.ts';
import { keyOf, type TableProjection } from './projection.ts';
import { halt, isHeld, type Lane, type Projector } from './projector.ts';

/** Milliseconds between looks whether a lane's leases are held, after the process has slept. */
const DOUBT_LOOK_MS = 50;

/** Starts a lane of projections whose stored cursors are all at `position`. */
export function startLane(projector: Projector, members: TableProjection[], position: number): Lane {
  const { feed, store, batchEventsMax } = projector;
  const lane: Lane = {
    members,
    position,
    subscription: feed.subscribe({
      name: members.map(keyOf).join(' '),
      after: { storeId: store.id, position },
      filter: { categories: [...new Set(members.flatMap(({ categories }) => categories))].sort() },
      batchEventsMax,
      handle: (batch) => handle(projector, lane, batch),
    }),
  };
  return lane;
}

async function handle(projector: Projector, lane: Lane, batch: Batch<Event>): Promise<void> {
  const { runtime, telemetry } = projector;
  await outOfDoubt(projector, lane);
  const startedMs = runtime.monotonicMs();
  try {
    const move = () => moveLane(projector, lane, batch);
    // A batch without events only moves the cursor.
    lane.position = await (batch.events.length === 0
      ? move()
      : telemetry.span('project', spanOf(lane, batch), move));
  } catch (error) {
    if (error instanceof CursorMoved) {
      for (const projection of error.projections) projector.turnedAway.add(projection);
      projector.regroup(error.message);
    }
    if (error instanceof ProjectionFailed) halt(projector, error);
    throw error;
  }
  const tookMs = runtime.monotonicMs() - startedMs;
  noteProgress(projector, lane, batch.events.length, tookMs);
  if (batch.live && mayJoin(projector, lane)) projector.regroup('a projection has caught up');
  const waitMs = restMs(batch, tookMs, projector.batchEventsMax);
  if (waitMs > 0) await sleep(runtime, waitMs, projector.stopping.signal);
}

/**
 * Waits until the leases of a lane are known to be held. After the process has slept they may be lost: until it is clear, nothing
 * is written or announced. Where one is lost, the lanes are grouped anew without it.
 */
async function outOfDoubt(projector: Projector, lane: Lane): Promise<void> {
  while (!lane.members.every((member) => isHeld(projector, member))) {
    if (!projector.lanes.includes(lane)) throw new Error('its leases were lost');
    await sleep(projector.runtime, DOUBT_LOOK_MS);
  }
}

/**
 * Advances all members over the batch, together. A member that fails gets a lane of its own. Returns the position of the
 * lane's members afterwards.
 */
async function moveLane(projector: Projector, lane: Lane, batch: Batch<Event>): Promise<number> {
  const { tables } = projector;
  let going = lane.members;
  let reached = lane.position;
  while (going.length > 0) {
    try {
      return await advance(tables, going, lane.position, batch);
    } catch (error) {
      if (!(error instanceof ProjectionFailed)) throw error;
      const { projection } = error;
      if (lane.members.length > 1 && projector.lanes.includes(lane)) {
        moveOut(projector, lane, error);
      } else {
        if (projection.onFailure !== 'park') throw error;
        reached = await advanceParking(tables, projection, lane.position, batch);
      }
      going = going.filter((member) => member !== projection);
    }
  }
  return reached;
}

/** Gives a projection that has failed a lane of its own. */
function moveOut(projector: Projector, lane: Lane, error: ProjectionFailed): void {
  const { projection } = error;
  if (projection.onFailure === 'park') projector.apart.add(projection);
  else halt(projector, error);
  lane.members = lane.members.filter((member) => member !== projection);
  projector.lanes.push(startLane(projector, [projection], lane.position));
}

function noteProgress(projector: Projector, lane: Lane, events: number, tookMs: number): void {
  const { metrics, halted, standstill } = projector;
  metrics.flushed(events, tookMs);
  for (const projection of lane.members) {
    halted.delete(keyOf(projection));
    standstill.over(keyOf(projection));
    metrics.moved(projection, lane.position);
  }
}

/** True where the lane could be joined with another one. */
function mayJoin({ lanes, apart }: Projector, lane: Lane): boolean {
  const joinable = lanes.filter(({ members }) => !members.some(apart.has));
  return joinable.includes(lane) && lane !== joinable[0];
}

const spanOf = (lane: Lane, { events, position }: Batch<Event>) => ({
  kind: 'consumer' as const,
  links: events.values().map(({ event }) => event.traceparent),
  attributes: { projections: lane.members.length, events: events.length, position },
});
