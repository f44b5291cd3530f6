import { centsFromDecimal, type views } from '@brokerx/contracts';
import type { z } from 'zod';
import { type LocalCopy, localCopy } from './localCopy.ts';

type BookOrder = z.infer<typeof views.BookOrder>;

/** A local copy of a symbol's public book, order by order. */
export type LocalOrders = LocalCopy<views.OrdersUpdate, views.BookOrdersView> & {
  /** Best price first, and within a level in the order of arrival. */
  bids(): BookOrder[];
  asks(): BookOrder[];
};

export function localOrders(): LocalOrders {
  /** Both Maps are in the order of arrival. */
  let bids = new Map<string, BookOrder>();
  let asks = new Map<string, BookOrder>();
  return {
    ...localCopy<views.OrdersUpdate, views.BookOrdersView>({
      load(snapshot) {
        bids = new Map(snapshot.bids.map((order) => [order.id, order]));
        asks = new Map(snapshot.asks.map((order) => [order.id, order]));
        return true;
      },
      apply({ removed, changed, added }) {
        for (const id of removed) if (!bids.delete(id)) asks.delete(id);
        for (const { id, qty } of changed) {
          const side = bids.has(id) ? bids : asks;
          const order = side.get(id);
          if (order) side.set(id, { ...order, qty });
        }
        for (const { side, ...order } of added) (side === 'buy' ? bids : asks).set(order.id, order);
        return true;
      },
    }),
    bids: () => sorted(bids, -1),
    asks: () => sorted(asks, 1),
  };
}

/** The sort is stable: orders at one price stay in the order of arrival. */
const sorted = (orders: ReadonlyMap<string, BookOrder>, sign: 1 | -1): BookOrder[] =>
  [...orders.values()].sort((a, b) => sign * (cents(a) - cents(b)));
const cents = ({ price }: BookOrder): number => centsFromDecimal(price) ?? 0;
