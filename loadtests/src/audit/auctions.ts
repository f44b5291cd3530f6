import type { Side } from '@brokerx/contracts';
import { auctionOf, type Standing } from './auction.ts';
import type { RawEvent } from './rawEvent.ts';

/** What the auctions need of the book in which they are executed. */
type Book<O extends { id: string; ticks: number; leaves: number }> = {
  standing(): Standing[];
  best(side: Side): O | undefined;
  remove(order: O): void;
  wrong(event: RawEvent, what: string): void;
};

/** The auctions of one book: the right price, and then its trades, in the order of priority of both sides. */
export function auditedAuctions<O extends { id: string; ticks: number; leaves: number }>(book: Book<O>) {
  let referenceTicks = 0;
  let uncrossing: { event: RawEvent; ticks: number; left: number } | undefined;

  return {
    uncrossed(event: Extract<RawEvent, { type: 'AuctionUncrossed.v1' }>): void {
      const { auction, ...told } = event.data;
      const must = auctionOf(book.standing(), referenceTicks);
      for (const what of ['priceTicks', 'quantity', 'surplus', 'surplusSide'] as const) {
        if (told[what] !== must[what])
          book.wrong(event, `${auction}: ${what} is ${told[what]}, should be ${must[what]}`);
      }
      if (told.priceTicks === null) return;
      referenceTicks = told.priceTicks;
      uncrossing = { event, ticks: told.priceTicks, left: told.quantity };
    },

    paired(event: Extract<RawEvent, { type: 'TradeExecuted.v1' }>): void {
      const { maker, taker, quantity, priceTicks, auction } = event.data;
      if (!uncrossing || uncrossing.ticks !== priceTicks) {
        book.wrong(event, `a trade at ${priceTicks} is not of the auction`);
        return;
      }
      uncrossing.left -= quantity;
      for (const [side, leg, ticks] of [
        ['buy', maker, auction?.buyTicks],
        ['sell', taker, auction?.sellTicks],
      ] as const) {
        const first = book.best(side);
        if (!first || first.id !== leg.orderId || first.ticks !== ticks) {
          book.wrong(
            event,
            `${leg.orderId} was paired at ${ticks}, but ${first?.id ?? 'nobody'} had priority`,
          );
          return;
        }
        first.leaves -= quantity;
        if (first.leaves !== leg.leaves || leg.leaves < 0)
          book.wrong(event, `the ${side}’s leaves do not add up`);
        if (first.leaves <= 0) book.remove(first);
      }
    },

    inputDone(): void {
      if (uncrossing && uncrossing.left !== 0)
        book.wrong(uncrossing.event, `${uncrossing.left} shares of the auction were not traded`);
      uncrossing = undefined;
    },
    refer(ticks: number): void {
      referenceTicks = ticks;
    },
  };
}
