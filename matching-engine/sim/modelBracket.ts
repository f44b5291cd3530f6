import type { BookFact, EngineInput } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

/** What becomes of brackets once more: after each input the entries are looked at that it told of. */
export function modelBracket({
  book,
  continuous,
  arrive,
}: {
  book: ReturnType<typeof modelBook>;
  continuous: () => boolean;
  arrive: (placed: Placed, revision: number, time: string) => BookFact[];
}) {
  const { lists } = book;
  const inBook = (id: string) =>
    book.orders().some((o) => o.id === id) || book.stops().some(({ placed }) => placed.orderId === id);

  /** Orders that have ended, and whose end is not told. */
  const untold = () => book.rules.left.flatMap(({ data }) => ('order' in data ? [data.order.orderId] : []));

  function wake(entryId: string, time: string): BookFact[] {
    const list = lists.all().find(({ entry }) => entry?.orderId === entryId);
    const entry = list?.entry;
    if (!list || !entry) return [];
    const children = entry.dormant.filter(({ orderId }) => list.legs.includes(orderId));
    list.entry = null;
    const { lowTicks } = entry;
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
    if (loss && waits && lowTicks > 0 && lowTicks <= (loss.stopTicks ?? 0))
      facts.push(...book.triggerOne(loss.orderId, time, lowTicks));
    return facts;
  }

  /** What has ended by these facts, and what ends with it. */
  function end(facts: BookFact[], from: number): void {
    for (let n = from; n < facts.length; n++) {
      const { data } = facts[n] as BookFact;
      const ids =
        'order' in data
          ? [data.order.orderId]
          : 'maker' in data
            ? [data.maker.orderId, data.taker.orderId]
            : [];
      for (const id of ids) {
        const list = lists.all().find(({ entry }) => entry?.orderId === id);
        if (!list?.entry || list.entry.isOver || inBook(id) || untold().includes(id)) continue;
        list.entry.isOver = true;
        if (list.entry.filled > 0) continue;
        for (const leg of list.legs) facts.push(...lists.expireAsleep(leg, 'ENTRY_NOT_FILLED'));
      }
    }
  }

  return function follow(facts: BookFact[], time: string): void {
    const uncounted = book.rules.told - facts.length;
    end(facts, 0);
    while (continuous()) {
      book.rules.told = facts.length + uncounted;
      const next = lists.all().find(({ entry, legs }) => entry?.isOver && legs.length > 0);
      if (!next?.entry || book.isFull()) break;
      const known = facts.length;
      facts.push(...wake(next.entry.orderId, time));
      end(facts, known);
    }
    const isOpen = book.openNow();
    const still = untold();
    lists.prune((id) => isOpen(id) || still.includes(id));
  };
}
