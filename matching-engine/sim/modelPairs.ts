import type { BookFact } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';

/** Both sides of a call meet at one price, in priority, until so much is done. */
export function pairAt(
  book: ReturnType<typeof modelBook>,
  {
    priceTicks,
    total,
    tickCents,
    time,
  }: { priceTicks: number; total: number; tickCents: number; time: string },
): BookFact[] {
  const { open, visible, opposite, refTo, takeShown } = book;
  const facts: BookFact[] = [];
  /** Who gets how much: each in full, in its turn, however little of it is shown. */
  const allotted = (of: 'buy' | 'sell') => {
    let left = total;
    return opposite(of === 'buy' ? 'sell' : 'buy', of === 'buy' ? 0 : Number.POSITIVE_INFINITY).flatMap(
      (order) => {
        const share = Math.min(left, book.effective(order));
        left -= share;
        return share > 0 ? [{ order, share }] : [];
      },
    );
  };
  const [buyers, sellers] = [allotted('buy'), allotted('sell')];
  const inIt = buyers.map(({ order }) => order.id);
  for (
    let [buyer, seller] = [buyers[0], sellers[0]];
    buyer && seller;
    [buyer, seller] = [buyers[0], sellers[0]]
  ) {
    const [buy, sell] = [buyer.order, seller.order];
    const quantity = Math.min(buyer.share, seller.share, visible(buy), visible(sell));
    for (const one of [buyer, seller]) {
      one.share -= quantity;
      one.order.done += quantity;
    }
    const { makerPeak } = takeShown(buy, quantity);
    const { makerPeak: takerPeak } = takeShown(sell, quantity);
    const parties = {
      maker: { ...refTo(buy), leaves: open(buy) },
      taker: { ...refTo(sell), leaves: open(sell) },
    };
    const peaks = { ...(makerPeak ? { makerPeak } : {}), ...(takerPeak ? { takerPeak } : {}) };
    const auction = { buyTicks: buy.price, sellTicks: sell.price };
    const terms = {
      trade: book.print(priceTicks, time),
      priceTicks,
      tickCents,
      quantity,
      takerSide: 'sell' as const,
    };
    facts.push({ type: 'TradeExecuted.v1', data: { ...terms, ...parties, auction, ...peaks } });
    book.lessen(buy.id, quantity, facts);
    book.lessen(sell.id, quantity, facts);
    book.lists.hear(priceTicks, inIt);
    if (buyer.share === 0) buyers.shift();
    if (seller.share === 0) sellers.shift();
  }
  for (const done of book.orders().filter((o) => open(o) === 0)) book.drop(done);
  return facts;
}
