import type { BookFact, EngineInput } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';
import { isReached } from './modelStops.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

/** What becomes of brackets once more: after each input the entries are looked at that it told of. */
export function modelBracket({
  book,
  continuous,
  dynamic,
  arrive,
}: {
  book: ReturnType<typeof modelBook>;
  continuous: () => boolean;
  dynamic: () => number;
  arrive: (placed: Placed, revision: number, time: string) => BookFact[];
}) {
  const { lists } = book;
  const inBook = (id: string) =>
    book.orders().some((o) => o.id === id) || book.stops().some(({ placed }) => placed.orderId === id);

  function wake(entryId: string, time: string): BookFact[] {
    const list = lists.all().find(({ entry }) => entry?.orderId === entryId);
    const entry = list?.entry;
    if (!list || !entry) return [];
    const last = dynamic();
    const children = entry.dormant.filter(({ orderId }) => list.legs.includes(orderId));
    list.entry = null;
    const facts: BookFact[] = [];
    for (const child of [...children].reverse()) {
      book.forgetEnd(child.orderId);
      const told = arrive({ ...child, quantity: entry.filled }, entry.revision, time);
      for (const fact of told) {
        if (fact.type === 'OrderAccepted.v1') facts.push({ ...fact, type: 'OrderActivated.v1' });
        else facts.push(fact);
      }
    }
    const loss = children.find(({ stopTicks }) => stopTicks);
    const waits = book.stops().some(({ placed }) => placed.orderId === loss?.orderId);
    if (loss && waits && continuous() && isReached(loss.side, loss.stopTicks ?? 0, last))
      facts.push(...book.reachAt(last, time));
    return facts;
  }

  return function follow(facts: BookFact[], time: string): void {
    let opens = false;
    for (let n = 0; n < facts.length; n++) {
      const { type, data } = facts[n] as BookFact;
      const ids =
        'order' in data
          ? [data.order.orderId]
          : 'maker' in data
            ? [data.maker.orderId, data.taker.orderId]
            : [];
      for (const id of ids) {
        const list = lists.all().find(({ entry }) => entry?.orderId === id);
        if (!list?.entry || list.entry.isOver || inBook(id)) continue;
        list.entry.isOver = true;
        if (list.entry.filled === 0)
          for (const leg of list.legs) facts.push(...lists.expireAsleep(leg, 'ENTRY_NOT_FILLED'));
        else if (list.legs.length > 0 && continuous()) facts.push(...wake(id, time));
      }
      if (type === 'MarketStateChanged.v1') opens ||= data.state === 'continuous';
      if (!opens || n < facts.length - 1) continue;
      opens = false;
      for (const { entry, legs } of lists.all())
        if (entry?.isOver && legs.length > 0) facts.push(...wake(entry.orderId, time));
    }
    lists.prune(book.openNow());
  };
}
