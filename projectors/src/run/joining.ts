import type { Event } from '@brokerx/contracts';
import type { EventStore } from '@brokerx/infra';
import { advance, ProjectionFailed, type Tables } from './advance.ts';
import { advanceParking } from './parking.ts';
import { keyOf, type TableProjection } from './projection.ts';

/**
 * The most events that the foremost projection waits for while another catches up: well below a second of work. Positions would
 * not measure it, since a store may leave gaps of any size.
 */
const JOIN_EVENTS_MAX = 5_000;

/**
 * Advances projections that are a little behind up to the foremost one, so that all can share a lane. Writes their new positions
 * into `positions`. One that fails stays where it is, after a call of `onFailed`.
 */
export async function bringTogether(options: {
  projections: readonly TableProjection[];
  /** Their stored positions, by key. */
  positions: Map<string, number>;
  tables: Tables;
  store: Pick<EventStore<Event>, 'readAll'>;
  batchEventsMax: number;
  /** True while this process holds the projection's lease. */
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
      // The store ends before the foremost position: it may have been put back.
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
