import type { BookFact } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';

/** The trades of an uncross: matches both sides at one price, by priority, until `total` shares are traded. */
export function pairAt(
  book: ReturnType<typeof modelBook>,
  {
    priceTicks,
    total,
    tickCents,
    time,
  }: { priceTicks: number; total: number; tickCents: number; time: string },
): BookFact[] {
  const { open, visible, opposite, refTo, fillShown } = book;
  const facts: BookFact[] = [];
  /** The shares that each order of a side gets: its whole open quantity in its turn, hidden shares included. */
  const allotted = (side: 'buy' | 'sell') => {
    let remaining = total;
    return opposite(side === 'buy' ? 'sell' : 'buy', side === 'buy' ? 0 : Number.POSITIVE_INFINITY).flatMap(
      (order) => {
        const share = Math.min(remaining, book.effectiveQuantity(order));
        remaining -= share;
        return share > 0 ? [{ order, share }] : [];
      },
    );
  };
  const [buyers, sellers] = [allotted('buy'), allotted('sell')];
  const buyerIds = buyers.map(({ order }) => order.id);
  for (
    let [buyer, seller] = [buyers[0], sellers[0]];
    buyer && seller;
    [buyer, seller] = [buyers[0], sellers[0]]
  ) {
    const [buy, sell] = [buyer.order, seller.order];
    const quantity = Math.min(buyer.share, seller.share, visible(buy), visible(sell));
    for (const party of [buyer, seller]) {
      party.share -= quantity;
      party.order.done += quantity;
    }
    const { makerPeak } = fillShown(buy, quantity);
    const { makerPeak: takerPeak } = fillShown(sell, quantity);
    const parties = {
      maker: { ...refTo(buy), leaves: open(buy) },
      taker: { ...refTo(sell), leaves: open(sell) },
    };
    const peaks = { ...(makerPeak ? { makerPeak } : {}), ...(takerPeak ? { takerPeak } : {}) };
    const auction = { buyTicks: buy.price, sellTicks: sell.price };
    const terms = {
      trade: book.recordTrade(priceTicks, time),
      priceTicks,
      tickCents,
      quantity,
      takerSide: 'sell' as const,
    };
    facts.push({ type: 'TradeExecuted.v1', data: { ...terms, ...parties, auction, ...peaks } });
    book.reduceSiblings(buy.id, quantity, facts);
    book.reduceSiblings(sell.id, quantity, facts);
    book.lists.notePrint(priceTicks, buyerIds);
    if (buyer.share === 0) buyers.shift();
    if (seller.share === 0) sellers.shift();
  }
  for (const filledOrder of book.orders().filter((o) => open(o) === 0)) book.drop(filledOrder);
  return facts;
}
