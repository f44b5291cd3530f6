import type { BookFact, EngineInput } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];

/** The model's brackets: after each input it ends the entries that the outputs name, and activates their legs. */
export function modelBracket({
  book,
  isContinuous,
  enterMarket,
}: {
  book: ReturnType<typeof modelBook>;
  isContinuous: () => boolean;
  enterMarket: (placed: Placed, revision: number, time: string) => BookFact[];
}) {
  const { lists } = book;
  const inBook = (id: string) =>
    book.orders().some((o) => o.id === id) || book.stops().some(({ placed }) => placed.orderId === id);

  /** The ids of orders that have ended and whose end is not reported yet. */
  const deferredIds = () =>
    book.rules.deferredEnds.flatMap(({ data }) => ('order' in data ? [data.order.orderId] : []));

  function activate(entryId: string, time: string): BookFact[] {
    const list = lists.all().find(({ entry }) => entry?.orderId === entryId);
    const entry = list?.entry;
    if (!list || !entry) return [];
    const children = entry.dormant.filter(({ orderId }) => list.legs.includes(orderId));
    list.entry = null;
    const { lowTicks } = entry;
    const facts: BookFact[] = [];
    for (const child of [...children].reverse()) {
      book.removeEnd(child.orderId);
      const arrivalFacts = enterMarket({ ...child, quantity: entry.filled }, entry.revision, time);
      for (const fact of arrivalFacts) {
        if (fact.type === 'OrderAccepted.v1') facts.push({ ...fact, type: 'OrderActivated.v1' });
        else facts.push(fact);
      }
    }
    const stopLoss = children.find(({ stopTicks }) => stopTicks);
    const isPutAside = book.stops().some(({ placed }) => placed.orderId === stopLoss?.orderId);
    if (stopLoss && isPutAside && lowTicks > 0 && lowTicks <= (stopLoss.stopTicks ?? 0))
      facts.push(...book.triggerOne(stopLoss.orderId, time, lowTicks));
    return facts;
  }

  /** Marks the entries that have ended, by the outputs from this index on, and expires the legs of those not filled. */
  function endEntries(facts: BookFact[], from: number): void {
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
        if (!list?.entry || list.entry.isOver || inBook(id) || deferredIds().includes(id)) continue;
        list.entry.isOver = true;
        if (list.entry.filled > 0) continue;
        for (const leg of list.legs) facts.push(...lists.expireDormant(leg, 'ENTRY_NOT_FILLED'));
      }
    }
  }

  return function updateLists(facts: BookFact[], time: string): void {
    const uncountedOffset = book.rules.outputCount - facts.length;
    endEntries(facts, 0);
    while (isContinuous()) {
      book.rules.outputCount = facts.length + uncountedOffset;
      const dueBracket = lists.all().find(({ entry, legs }) => entry?.isOver && legs.length > 0);
      if (!dueBracket?.entry || book.isFull()) break;
      const factCount = facts.length;
      facts.push(...activate(dueBracket.entry.orderId, time));
      endEntries(facts, factCount);
    }
    const isOpen = book.openTest();
    const deferred = deferredIds();
    lists.prune((id) => isOpen(id) || deferred.includes(id));
  };
}
