import type { Side } from '@brokerx/contracts';
import type { RawEvent, RawEventOf } from '../rawEvent.ts';
import { auctionOf } from './auction.ts';
import type { auditedLevels, Resting } from './bookLevels.ts';

/** The parts of the book that the auctions use. */
type Book = Pick<ReturnType<typeof auditedLevels>, 'inPriority' | 'resting' | 'remove' | 'place'> & {
  /** The shares that an order has in common with another one of its list that has priority. */
  shadowed(order: Resting, inPriority: readonly Resting[]): number;
  wrong(event: RawEvent, what: string): void;
  version(): number;
};
/** The shares that an order still has to get in the auction. */
type Share = { id: string; left: number };
type Trade = RawEventOf<'TradeExecuted.v1'>;

/**
 * Checks the auctions of a book: the price, and how many shares each order gets. Orders are filled completely one after the
 * other in their priority, hidden parts of icebergs included, peak after peak.
 */
export function auditedAuctions(book: Book) {
  let referenceTicks = 0;
  /** The auction whose trades are being read: what each side still has to get. */
  let uncrossing: { event: RawEvent; ticks: number; buy: Share[]; sell: Share[] } | undefined;

  const available = (order: Resting, inPriority: readonly Resting[]) =>
    order.leaves - book.shadowed(order, inPriority);
  const sharesOf = (side: Side, total: number): Share[] => {
    let left = total;
    const orders = book.inPriority(side);
    return orders.flatMap((order) => {
      const share = Math.min(left, available(order, orders));
      left -= share;
      return share > 0 ? [{ id: order.id, left: share }] : [];
    });
  };

  /** Checks one side of a trade: whose turn it is, the limit, the leaves, and the next peak of an iceberg. */
  const leg = (event: Trade, side: Side) => {
    const { quantity, auction, maker, taker, makerPeak = 0, takerPeak = 0 } = event.data;
    const party = side === 'buy' ? maker : taker;
    const [ticks, peak] = side === 'buy' ? [auction?.buyTicks, makerPeak] : [auction?.sellTicks, takerPeak];
    const turn = uncrossing?.[side][0];
    const order = book.resting.get(party.orderId);
    if (!turn || turn.id !== party.orderId || order?.ticks !== ticks) {
      book.wrong(event, `${party.orderId} was paired at ${ticks}, but ${turn?.id ?? 'nobody'} had priority`);
    }
    if (turn) turn.left -= quantity;
    if (turn && turn.left < 0) book.wrong(event, `${turn.id} gets more than its share`);
    if (turn && turn.left <= 0) uncrossing?.[side].shift();
    if (!order) return;
    order.leaves -= quantity;
    order.shown -= quantity;
    if (order.leaves !== party.leaves || order.shown < 0)
      book.wrong(event, `the ${side}’s leaves do not add up`);
    const nextPeak = order.shown === 0 ? Math.min(order.leaves, order.peak ?? 0) : 0;
    if (nextPeak !== peak) book.wrong(event, `the next peak of ${order.id} is ${nextPeak}`);
    if (order.leaves <= 0 || nextPeak > 0) book.remove(order);
    if (nextPeak > 0) book.place({ ...order, shown: nextPeak, live: true });
  };

  return {
    uncrossed(event: RawEventOf<'AuctionUncrossed.v1'>): void {
      const { auction, ...result } = event.data;
      const standing = (['buy', 'sell'] as const).flatMap((side) => {
        const orders = book.inPriority(side);
        return orders.map((order) => ({ ...order, shares: available(order, orders) }));
      });
      const expected = auctionOf(standing, referenceTicks, book.version());
      for (const what of ['priceTicks', 'quantity', 'surplus', 'surplusSide'] as const) {
        if (result[what] !== expected[what])
          book.wrong(event, `${auction}: ${what} is ${result[what]}, should be ${expected[what]}`);
      }
      if (result.priceTicks === null) return;
      referenceTicks = result.priceTicks;
      const [buy, sell] = [sharesOf('buy', result.quantity), sharesOf('sell', result.quantity)];
      uncrossing = { event, ticks: result.priceTicks, buy, sell };
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
