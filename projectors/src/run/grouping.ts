import { asError, backOffMs, type Cursor, sleep, unlessOutage } from '@brokerx/infra';
import { openCursors } from './cursors.ts';
import { bringTogether } from './joining.ts';
import { startLane } from './lanes.ts';
import { keyOf, type TableProjection } from './projection.ts';
import { halt, isHeld, type Projector } from './projector.ts';

/** After so many failures in a row to group the projections, the process reports itself as not ready. */
const UNGROUPED_ATTEMPTS = 3;

const BUILT_ANEW =
  'the tables were built from another event store, or from another past of it: they are built anew from this one';

/** Starts lanes afresh, from the stored cursors, for the projections that this process owns by then. */
export async function group(projector: Projector): Promise<void> {
  const { projections, owned, runtime, log, stopping } = projector;
  await stopLanes(projector);
  for (let attempt = 1; !isPointless(projector); attempt++) {
    const mine = projections.filter((projection) => owned.has(keyOf(projection)));
    if (mine.length === 0) return;
    try {
      await startLanes(projector, mine);
      return;
    } catch (error) {
      log[unlessOutage(error, 'warn')](
        { err: error, attempt },
        'the projections could not be grouped; it is tried again',
      );
      if (attempt >= UNGROUPED_ATTEMPTS) {
        projector.ungroupedReason = `not begun: ${asError(error).message}`;
      }
      await sleep(runtime, backOffMs(attempt), stopping.signal);
    }
  }
}

/** True where lanes would be stopped again at once: the process stops, or the next grouping is due. */
const isPointless = ({ stopping, mode }: Projector): boolean => stopping.signal.aborted || mode === 'due';

async function startLanes(projector: Projector, mine: readonly TableProjection[]): Promise<void> {
  const { tables, store, log, metrics, apart, batchEventsMax } = projector;
  const onForeign = (projection: TableProjection, builtFrom: Cursor) =>
    log.warn({ projection: keyOf(projection), builtFrom, store: store.id }, BUILT_ANEW);
  const positions = await openCursors(tables.pool, tables.past, mine, onForeign);
  const standsAt = (projection: TableProjection) => positions.get(keyOf(projection)) ?? 0;
  leaveStanding(projector, mine, standsAt);
  await bringTogether({
    projections: mine.filter((projection) => !apart.has(projection)),
    positions,
    tables,
    store,
    batchEventsMax,
    isHeld: (projection) => isHeld(projector, projection),
    onFailed: (error) => halt(projector, error),
  });
  for (const projection of mine) metrics.moved(projection, standsAt(projection));
  if (isPointless(projector)) return;
  projector.ungroupedReason = null;
  projector.lanes = together(mine, positions, apart.has).map((members) =>
    startLane(projector, members, standsAt(members[0] as TableProjection)),
  );
  log.info({ projections: mine.map(keyOf), lanes: projector.lanes.length }, 'projecting');
}

/** Puts projections that stand still into lanes of their own, so that they delay no other. */
function leaveStanding(
  { turnedAway, standstill, apart }: Projector,
  mine: readonly TableProjection[],
  standsAt: (projection: TableProjection) => number,
): void {
  for (const projection of mine) {
    if (!turnedAway.has(projection)) continue;
    if (standstill.turnedAway(projection, standsAt(projection))) apart.add(projection);
  }
  turnedAway.clear();
}

/**
 * Groups projections into lanes: those at the same position share one, the foremost lane first. A projection that is apart has a
 * lane of its own, wherever it is.
 */
function together(
  projections: readonly TableProjection[],
  positions: ReadonlyMap<string, number>,
  isApart: (projection: TableProjection) => boolean,
): TableProjection[][] {
  const [alone, others] = [projections.filter(isApart), projections.filter((one) => !isApart(one))];
  const places = Map.groupBy(others, (one) => positions.get(keyOf(one)) ?? 0);
  const lanes = [...places].sort(([a], [b]) => b - a).map(([, members]) => members);
  return [...lanes, ...alone.map((one) => [one])];
}

export async function stopLanes(projector: Projector): Promise<void> {
  const former = projector.lanes;
  projector.lanes = [];
  await Promise.all(former.map(({ subscription }) => subscription.stop()));
  for (const projection of projector.projections) projection.forget();
}
