import type { Event } from '@brokerx/contracts';
import type { EventStore } from '@brokerx/infra';
import { advance, ProjectionFailed, type Tables } from './advance.ts';
import { advanceParking } from './parking.ts';
import { keyOf, type TableProjection } from './projection.ts';

/**
 * Events that a projection may be behind the foremost one to be brought up to it while that one waits: well below a
 * second. Not positions, which a store may give with gaps of any size.
 */
const JOIN_EVENTS_MAX = 5_000;

/**
 * Takes projections that are a little behind up to the foremost one, and notes in `positions` where each of them
 * stands then. What one of them cannot fold is told and leaves it where it is.
 */
export async function bringTogether(options: {
  projections: readonly TableProjection[];
  /** Where they stand, by key, as it is stored. */
  positions: Map<string, number>;
  tables: Tables;
  store: Pick<EventStore<Event>, 'readAll'>;
  batchEventsMax: number;
  /** Whether this process may write it still. */
  isHeld: (projection: TableProjection) => boolean;
  onFailed: (error: ProjectionFailed) => void;
}): Promise<void> {
  const { projections, positions, tables, store, batchEventsMax, isHeld, onFailed } = options;
  const foremost = Math.max(...positions.values());
  for (const projection of projections) {
    const { categories, onFailure } = projection;
    let position = positions.get(keyOf(projection)) ?? 0;
    let events = 0;
    while (position < foremost && events < JOIN_EVENTS_MAX && isHeld(projection)) {
      const page = await store.readAll(position, { categories }, batchEventsMax);
      events += page.events.length;
      const to = Math.min(page.position, foremost);
      // The store knows of nothing so far on: it may have been put back.
      if (to <= position) break;
      const stretch = { events: page.events.filter((event) => event.position <= to), position: to };
      try {
        position =
          onFailure === 'park'
            ? await advanceParking(tables, projection, position, stretch)
            : await advance(tables, [projection], position, stretch);
      } catch (error) {
        if (!(error instanceof ProjectionFailed)) throw error;
        onFailed(error);
        break;
      }
      positions.set(keyOf(projection), position);
    }
  }
}
