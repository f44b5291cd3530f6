import type { views } from '@brokerx/contracts';
import type { EventReader } from '../reading/eventReader.ts';
import { orderEventView } from './orderEvent.ts';

/** Events that one read fetches: an order's events mostly lie within a few commits of each other. */
const PAGE_EVENTS = 32;

/** The events at these positions of the store, as the owner of the order may read them, oldest first. */
export async function readTimeline(
  store: EventReader,
  orderId: string,
  eventPositions: readonly number[],
): Promise<views.OrderEventView[]> {
  const positions = [...new Set(eventPositions)].sort((a, b) => a - b);
  const items: views.OrderEventView[] = [];
  for (let i = 0; i < positions.length; ) {
    const first = positions[i] ?? 0;
    const { events, position } = await store.readAll(
      first - 1,
      { categories: ['account', 'book'] },
      PAGE_EVENTS,
    );
    for (; i < positions.length && (positions[i] ?? 0) <= Math.max(first, position); i++) {
      const event = events.find(({ position: at }) => at === positions[i]);
      const view = event && orderEventView(event, orderId);
      if (view) items.push(view);
    }
  }
  return items;
}
