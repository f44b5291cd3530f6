import { type BookFact, type EngineInput, placedOrders, type RefusalCode } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

/** The model's placing of lists: accepts all orders of a list, or none. */
export function modelPlaceList({
  book,
  refusal,
  enterMarket,
  rulesLackLists,
}: {
  book: ReturnType<typeof modelBook>;
  refusal: (placed: Placed) => RefusalCode | null;
  enterMarket: (placed: Placed, revision: number, time: string) => BookFact[];
  rulesLackLists: () => boolean;
}) {
  return function placeList(
    list: Extract<EngineInput, { type: 'OrderListPlaced.v1' }>['data'],
    revision: number,
    time: string,
  ): BookFact[] {
    const orders = placedOrders(list);
    const orderWithRole = (wanted: string) => orders.find(({ role }) => role === wanted);
    const [entry, profit, loss] = [
      orderWithRole('entry'),
      orderWithRole('take_profit'),
      orderWithRole('stop_loss'),
    ];
    const codes = orders.flatMap((order) => {
      const code = refusal(order);
      const mayTriggerLater =
        list.kind === 'bracket' && order.role !== 'entry' && code === 'WOULD_TRIGGER_IMMEDIATELY';
      return code && !mayTriggerLater ? [code] : [];
    });
    if (rulesLackLists()) codes.push('MATCHING_RULES');
    const distanceTicks = (profit?.limitTicks ?? 0) - (loss?.stopTicks ?? 0);
    if (profit?.side === 'sell' ? distanceTicks <= 0 : distanceTicks >= 0) codes.push('ORDER_LIST');
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
      return orders.reverse().flatMap((order) => enterMarket(order, revision, time));
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
    const legsAccepted = children.map((child): BookFact => {
      const { orderId: id, accountId, side, type, timeInForce, quantity, limitTicks, expiresAt } = child;
      if (expiresAt) book.addEnd(id, expiresAt);
      const order = { orderId: id, accountId, revision };
      const terms = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: 0 };
      const expiry = expiresAt ? { expiresAt } : {};
      return { type: 'OrderAccepted.v1', data: { ...terms, ...expiry, held: true, dormant: true } };
    });
    book.rules.outputCount += legsAccepted.length;
    return [...legsAccepted, ...enterMarket(entry, revision, time)];
  };
}
