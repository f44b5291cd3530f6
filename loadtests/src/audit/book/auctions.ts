import type { Side } from '@brokerx/contracts';
import type { RawEvent } from '../rawEvent.ts';
import { auctionOf } from './auction.ts';
import type { auditedLevels, Resting } from './bookLevels.ts';

/** What the auctions need of the book in which they are executed. */
type Book = Pick<ReturnType<typeof auditedLevels>, 'inPriority' | 'resting' | 'remove' | 'place'> & {
  /** What an order shares with another one of its list that has priority. */
  shadowed(order: Resting, inPriority: readonly Resting[]): number;
  wrong(event: RawEvent, what: string): void;
  version(): number;
};
type Share = { id: string; left: number };
type Trade = Extract<RawEvent, { type: 'TradeExecuted.v1' }>;

/**
 * The auctions of one book: the right price, and then who gets how much: each in full in its turn, what an iceberg hides
 * included, peak after peak.
 */
export function auditedAuctions(book: Book) {
  let referenceTicks = 0;
  let uncrossing: { event: RawEvent; ticks: number; buy: Share[]; sell: Share[] } | undefined;

  const shares = (side: Side, total: number): Share[] => {
    let left = total;
    const all = book.inPriority(side);
    return all.flatMap((order) => {
      const { id, leaves } = order;
      const share = Math.min(left, leaves - book.shadowed(order, all));
      left -= share;
      return share > 0 ? [{ id, left: share }] : [];
    });
  };

  /** One leg of a trade: its turn, its limit, what it shows and leaves. */
  const leg = (event: Trade, side: Side) => {
    const { quantity, auction, maker, taker, makerPeak = 0, takerPeak = 0 } = event.data;
    const told = side === 'buy' ? maker : taker;
    const [ticks, peak] = side === 'buy' ? [auction?.buyTicks, makerPeak] : [auction?.sellTicks, takerPeak];
    const turn = uncrossing?.[side][0];
    const order = book.resting.get(told.orderId);
    if (!turn || turn.id !== told.orderId || order?.ticks !== ticks) {
      book.wrong(event, `${told.orderId} was paired at ${ticks}, but ${turn?.id ?? 'nobody'} had priority`);
    }
    if (turn) turn.left -= quantity;
    if (turn && turn.left < 0) book.wrong(event, `${turn.id} gets more than its share`);
    if (turn && turn.left <= 0) uncrossing?.[side].shift();
    if (!order) return;
    order.leaves -= quantity;
    order.shown -= quantity;
    if (order.leaves !== told.leaves || order.shown < 0)
      book.wrong(event, `the ${side}’s leaves do not add up`);
    const next = order.shown === 0 ? Math.min(order.leaves, order.peak ?? 0) : 0;
    if (next !== peak) book.wrong(event, `the next peak of ${order.id} is ${next}`);
    if (order.leaves <= 0 || next > 0) book.remove(order);
    if (next > 0) book.place({ ...order, shown: next, live: true });
  };

  return {
    uncrossed(event: Extract<RawEvent, { type: 'AuctionUncrossed.v1' }>): void {
      const { auction, ...told } = event.data;
      const standing = (['buy', 'sell'] as const).flatMap((side) => {
        const all = book.inPriority(side);
        return all.map((order) => {
          const shares = order.leaves - book.shadowed(order, all);
          return { side, ticks: order.ticks, shares, unpriced: order.unpriced };
        });
      });
      const must = auctionOf(standing, referenceTicks, book.version());
      for (const what of ['priceTicks', 'quantity', 'surplus', 'surplusSide'] as const) {
        if (told[what] !== must[what])
          book.wrong(event, `${auction}: ${what} is ${told[what]}, should be ${must[what]}`);
      }
      if (told.priceTicks === null) return;
      referenceTicks = told.priceTicks;
      const [buy, sell] = [shares('buy', told.quantity), shares('sell', told.quantity)];
      uncrossing = { event, ticks: told.priceTicks, buy, sell };
    },

    paired(event: Trade): void {
      const { priceTicks } = event.data;
      if (!uncrossing || uncrossing.ticks !== priceTicks) {
        book.wrong(event, `a trade at ${priceTicks} is not of the auction`);
        return;
      }
      leg(event, 'buy');
      leg(event, 'sell');
    },

    inputDone(): void {
      const left = uncrossing?.buy.reduce((sum, share) => sum + share.left, 0) ?? 0;
      if (uncrossing && left > 0)
        book.wrong(uncrossing.event, `${left} shares of the auction were not traded`);
      uncrossing = undefined;
    },
    refer(ticks: number): void {
      referenceTicks = ticks;
    },
  };
}
