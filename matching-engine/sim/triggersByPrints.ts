import assert from 'node:assert/strict';
import type { BookFact, EngineInput } from '@brokerx/contracts';

/**
 * Checks by the outputs alone that a stop triggers only after a trade at its price since it was put aside. For the stop of a
 * bracket the trades since the entry's first fill count, without those of the entry itself; all trades of an uncross in which
 * the entry takes part are its own. Orders that are placed, activated or end never trigger a stop.
 */
export function triggersByPrints() {
  const prints: { ticks: number; orderIds: Set<string> }[] = [];
  /** The orders with trades in the uncross whose outputs are being read; undefined outside of one. */
  let uncrossOrderIds: Set<string> | undefined;
  /** For each stop the number of trades before it was put aside. */
  const firstPrintByStop = new Map<string, number>();
  /** The entry of each order of a bracket, and the index of the trade that filled an entry first. */
  const entryByOrder = new Map<string, string>();
  const firstFillByEntry = new Map<string, number>();

  return {
    place({ type, data }: EngineInput) {
      if (type !== 'OrderListPlaced.v1') return;
      const entry = data.orders.find(({ role }) => role === 'entry');
      if (!entry) return;
      for (const { orderId } of data.orders) entryByOrder.set(orderId, entry.orderId);
    },
    follow({ type, data }: BookFact) {
      if (type === 'AuctionUncrossed.v1') uncrossOrderIds = undefined;
      if (type === 'TradeExecuted.v1') {
        for (const { orderId } of [data.maker, data.taker])
          if (entryByOrder.get(orderId) === orderId && !firstFillByEntry.has(orderId))
            firstFillByEntry.set(orderId, prints.length);
        if (data.auction) uncrossOrderIds ??= new Set();
        else uncrossOrderIds = undefined;
        const orderIds = uncrossOrderIds ?? new Set<string>();
        for (const { orderId } of [data.maker, data.taker]) orderIds.add(orderId);
        prints.push({ ticks: data.priceTicks, orderIds });
      } else if (type === 'OrderActivated.v1') {
        const firstFill = firstFillByEntry.get(entryByOrder.get(data.order.orderId) ?? '');
        assert(firstFill !== undefined, `${data.order.orderId} arms, and its entry has bought nothing`);
        if (data.held) firstPrintByStop.set(data.order.orderId, firstFill);
      } else if (type === 'OrderAccepted.v1') {
        if (data.held && !data.dormant) firstPrintByStop.set(data.order.orderId, prints.length);
      } else if (type === 'OrderTriggered.v1') {
        const { order, side, stopTicks } = data;
        const printsSince = prints.slice(firstPrintByStop.get(order.orderId));
        const entry = entryByOrder.get(order.orderId) ?? '';
        const isReached = printsSince.some(
          ({ ticks, orderIds }) =>
            !orderIds.has(entry) && (side === 'buy' ? ticks >= stopTicks : ticks <= stopTicks),
        );
        assert(
          isReached,
          `${order.orderId} is triggered, and no print since it was put aside reached its stop`,
        );
      }
    },
  };
}
