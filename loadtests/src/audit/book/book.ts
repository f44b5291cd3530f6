import type { Findings } from '../findings.ts';
import type { AuditedOrder } from '../order.ts';
import type { RawEvent } from '../rawEvent.ts';
import { accepted, activated, arrived, entered, replaced, triggered } from './arriving.ts';
import { type Book, emptyBook } from './bookState.ts';
import { canceled, completed, expired } from './leaving.ts';
import { prevented, trade } from './meeting.ts';

/**
 * A symbol's book, followed from its public events with code that shares nothing with the engine: every trade must
 * take the oldest order of the best opposite price, at that order's price, within the taker's limit; or, in an auction,
 * pair the oldest orders of the best prices of both sides, at the price at which most could be executed.
 */
export type AuditedBook = {
  apply(event: RawEvent): void;
  /** Everything that one input brought about has been applied. */
  inputDone(): void;
  /** An input of the market itself, when it is its turn. */
  market(event: RawEvent): void;
  trades: number;
  openOrders(): number;
  /** What whoever lists the symbol says of sizes. */
  rules: { lotShares: number; orderSharesMax: number };
};

export function auditedBook(
  symbol: string,
  orders: ReadonlyMap<string, AuditedOrder>,
  findings: Findings,
): AuditedBook {
  const book = emptyBook(symbol, orders, findings);
  return {
    apply(event) {
      book.input.outputSeen(event);
      book.lists.before(event);
      apply(book, event);
    },
    inputDone: () => inputDone(book),
    market: (event) => takeMarketEvent(book, event),
    get trades() {
      return book.trades;
    },
    openOrders: () => book.levels.resting.size,
    rules: book.rules,
  };
}

function apply(book: Book, event: RawEvent): void {
  switch (event.type) {
    case 'OrderAccepted.v1':
      return accepted(book, event);
    case 'OrderActivated.v1':
      return activated(book, event);
    case 'OrderTriggered.v1':
      return triggered(book, event);
    case 'OrderReplaced.v1':
      return replaced(book, event);
    case 'OrderEntered.v1':
      return entered(book, event);
    case 'TradeExecuted.v1':
      return trade(book, event);
    case 'TradePrevented.v1':
      return prevented(book, event);
    case 'OrderReduced.v1':
      return book.lists.reduced(event);
    case 'OrderCanceled.v1':
      return canceled(book, event);
    case 'OrderExpired.v1':
      return expired(book, event);
    case 'OrderCompleted.v1':
      return completed(book, event);
    case 'MarketStateChanged.v1':
      book.market = event.data.state;
      return;
    case 'AuctionUncrossed.v1': {
      const inBook = [...book.levels.resting.keys()].flatMap((id) => book.orders.get(id) ?? []);
      book.input.notOver(event, inBook, book.stops.waiting());
      return book.auctions.uncrossed(event);
    }
    default:
      return;
  }
}

function inputDone(book: Book): void {
  arrived(book);
  book.lists.inputDone();
  book.stops.inputDone(book.market, book.input.isFull());
  book.input.done();
  book.auctions.inputDone();
  book.bands.inputDone(book.market !== 'continuous');
}

function takeMarketEvent({ bands, input, auctions }: Book, event: RawEvent): void {
  bands.market(event);
  input.market(event);
  if (event.type === 'SymbolListed.v1') auctions.refer(event.data.rules.listingTicks);
  if (event.type === 'DayEnded.v1') auctions.refer(event.data.closeTicks);
}
