import assert from 'node:assert/strict';
import type { BookFact, EngineInput } from '@brokerx/contracts';

/**
 * Follows stops by what is told alone: one is triggered only by a print since it was put aside, or, of a bracket, since
 * the first fill of its entry, and then not one of that entry's own: what an uncross gives it is its own whole. That other orders are placed, armed or end triggers nobody.
 */
export function triggersByPrints() {
  const prints: { ticks: number; of: Set<string> }[] = [];
  /** Who has a part in the uncross that is told, if one is. */
  let uncross: Set<string> | undefined;
  /** How many prints there were when a stop was put aside. */
  const aside = new Map<string, number>();
  /** The entry of each order of a bracket, and the print that filled an entry first. */
  const entries = new Map<string, string>();
  const firstFills = new Map<string, number>();

  return {
    place({ type, data }: EngineInput) {
      if (type !== 'OrderListPlaced.v1') return;
      const entry = data.orders.find(({ role }) => role === 'entry');
      if (!entry) return;
      for (const { orderId } of data.orders) entries.set(orderId, entry.orderId);
    },
    follow({ type, data }: BookFact) {
      if (type === 'AuctionUncrossed.v1') uncross = undefined;
      if (type === 'TradeExecuted.v1') {
        for (const { orderId } of [data.maker, data.taker])
          if (entries.get(orderId) === orderId && !firstFills.has(orderId))
            firstFills.set(orderId, prints.length);
        if (data.auction) uncross ??= new Set();
        else uncross = undefined;
        const of = uncross ?? new Set<string>();
        for (const { orderId } of [data.maker, data.taker]) of.add(orderId);
        prints.push({ ticks: data.priceTicks, of });
      } else if (type === 'OrderActivated.v1') {
        const from = firstFills.get(entries.get(data.order.orderId) ?? '');
        assert(from !== undefined, `${data.order.orderId} arms, and its entry has bought nothing`);
        if (data.held) aside.set(data.order.orderId, from);
      } else if (type === 'OrderAccepted.v1') {
        if (data.held && !data.dormant) aside.set(data.order.orderId, prints.length);
      } else if (type === 'OrderTriggered.v1') {
        const { order, side, stopTicks } = data;
        const since = prints.slice(aside.get(order.orderId));
        const entry = entries.get(order.orderId) ?? '';
        const reached = since.some(
          ({ ticks, of }) => !of.has(entry) && (side === 'buy' ? ticks >= stopTicks : ticks <= stopTicks),
        );
        assert(
          reached,
          `${order.orderId} is triggered, and no print since it was put aside reached its stop`,
        );
      }
    },
  };
}
