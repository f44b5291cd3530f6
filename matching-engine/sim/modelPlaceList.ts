import { type BookFact, type EngineInput, placedOrders, type RefusalCode } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

/** Lists once more: all orders of one are taken, or none of them. */
export function modelPlaceList({
  book,
  refusal,
  arrive,
  isOld,
}: {
  book: ReturnType<typeof modelBook>;
  refusal: (placed: Placed) => RefusalCode | null;
  arrive: (placed: Placed, revision: number, time: string) => BookFact[];
  isOld: () => boolean;
}) {
  return function placeList(
    list: Extract<EngineInput, { type: 'OrderListPlaced.v1' }>['data'],
    revision: number,
    time: string,
  ): BookFact[] {
    const orders = placedOrders(list);
    const of = (wanted: string) => orders.find(({ role }) => role === wanted);
    const [entry, profit, loss] = [of('entry'), of('take_profit'), of('stop_loss')];
    const codes = orders.flatMap((order) => {
      const code = refusal(order);
      const later = list.kind === 'bracket' && order.role !== 'entry' && code === 'WOULD_TRIGGER_IMMEDIATELY';
      return code && !later ? [code] : [];
    });
    if (isOld()) codes.push('MATCHING_RULES');
    const between = (profit?.limitTicks ?? 0) - (loss?.stopTicks ?? 0);
    if (profit?.side === 'sell' ? between <= 0 : between >= 0) codes.push('ORDER_LIST');
    const [code] = codes;
    if (code) {
      return orders.map(({ orderId, accountId }) => ({
        type: 'OrderRejected.v1',
        data: { order: { orderId, accountId, revision }, code },
      }));
    }
    const children = orders.filter((order) => order !== entry);
    const legs = children.map(({ orderId }) => orderId);
    if (!entry) {
      book.lists.add(list.listId, legs, null);
      return orders.reverse().flatMap((order) => arrive(order, revision, time));
    }
    const { orderId } = entry;
    book.lists.add(list.listId, legs, {
      orderId,
      filled: 0,
      isOver: false,
      revision,
      dormant: children,
      lowTicks: 0,
    });
    const sleeping = children.map((child): BookFact => {
      const { orderId: id, accountId, side, type, timeInForce, quantity, limitTicks, expiresAt } = child;
      if (expiresAt) book.end(id, expiresAt);
      const order = { orderId: id, accountId, revision };
      const terms = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: 0 };
      const ends = expiresAt ? { expiresAt } : {};
      return { type: 'OrderAccepted.v1', data: { ...terms, ...ends, held: true, dormant: true } };
    });
    book.rules.told += sleeping.length;
    return [...sleeping, ...arrive(entry, revision, time)];
  };
}
