import type { RawEventOf } from '../rawEvent.ts';
import { buysFor, type Incoming } from './bookIncoming.ts';
import type { Resting } from './bookLevels.ts';
import type { Book } from './bookState.ts';

type Trade = RawEventOf<'TradeExecuted.v1'>;
type Prevented = RawEventOf<'TradePrevented.v1'>;
/** The two that meet: the one that is arriving, and the one in the book that has priority. */
type Met = { arriving: Incoming; made: Resting };

/** A trade: of an auction, or between the arriving order and the one that has priority. */
export function trade(book: Book, event: Trade): void {
  const { wrong, orders } = book;
  const { maker, taker, priceTicks } = event.data;
  book.trades += 1;
  book.stops.traded(priceTicks, [orders.get(maker.orderId), orders.get(taker.orderId)]);
  if (event.data.trade !== book.trades) wrong(event, `trade ${event.data.trade} is the ${book.trades}th`);
  book.bands.traded(event, book.incoming?.order);
  book.lists.traded(event);
  if (event.data.auction) return book.auctions.paired(event);
  if (book.market !== 'continuous') wrong(event, `a trade while the market is in ${book.market}`);
  const met = meet(book, event);
  if (!met) return;
  if (met.arriving.order.selfTrade !== 'none' && maker.accountId === taker.accountId) {
    wrong(event, `${taker.orderId} traded with its own account`);
  }
  execute(book, event, met);
}

function execute(book: Book, event: Trade, met: Met): void {
  const { arriving, made } = met;
  const { quantity, priceTicks, tickCents, taker } = event.data;
  arriving.filled += quantity;
  arriving.tradedAt = priceTicks;
  if (arriving.money !== null) {
    const cents = priceTicks * tickCents;
    arriving.money -= quantity * cents;
    if (arriving.money < 0) book.wrong(event, `${taker.orderId} spends more than it has`);
    arriving.leaves = buys(book, arriving, cents);
  }
  lessBy(book, event, met, quantity);
  if (made.leaves <= 0) book.levels.remove(made);
  if (arriving.money !== null && arriving.leaves === 0) book.spent(event, arriving);
}

/** A match of two orders of one account, which the arriving one wanted to be prevented. */
export function prevented(book: Book, event: Prevented): void {
  const { wrong } = book;
  const { maker, taker, quantity, mode } = event.data;
  const met = meet(book, event);
  if (!met) return;
  if (maker.accountId !== taker.accountId) wrong(event, 'a match of two accounts was prevented');
  const { arriving, made } = met;
  if (mode !== arriving.order.selfTrade)
    wrong(event, `${taker.orderId} prevents by ${arriving.order.selfTrade}`);
  if (arriving.money !== null) arriving.leaves = buys(book, arriving, made.ticks * arriving.order.tickCents);
  if (quantity !== Math.min(arriving.leaves, made.shown)) wrong(event, 'the prevented quantity is wrong');
  lessBy(book, event, met, mode === 'decrement' ? quantity : 0);
}

function meet(book: Book, event: Trade | Prevented): Met | undefined {
  const { wrong, incoming, levels } = book;
  const { maker, taker, priceTicks, takerSide } = event.data;
  if (!incoming || incoming.order.id !== taker.orderId) {
    wrong(event, `taker ${taker.orderId} is not the order that is arriving`);
    return undefined;
  }
  if (incoming.order.side !== takerSide) wrong(event, 'the taker’s side is wrong');
  const limit = incoming.ticks;
  if (takerSide === 'buy' ? priceTicks > limit : priceTicks < limit) {
    wrong(event, `the trade at ${priceTicks} is beyond the taker’s limit ${limit}`);
  }
  const first = levels.best(takerSide === 'buy' ? 'sell' : 'buy');
  if (first?.id !== maker.orderId) {
    wrong(event, `${maker.orderId} traded, but ${first?.id ?? 'nobody'} had priority`);
  }
  if (incoming.order.postOnly) wrong(event, `${taker.orderId} is post-only and meets another order`);
  const made = levels.resting.get(maker.orderId);
  if (!made) {
    wrong(event, `maker ${maker.orderId} is not in the book`);
    return undefined;
  }
  if (made.ticks !== priceTicks) wrong(event, `the price is ${priceTicks}, the maker’s is ${made.ticks}`);
  return { arriving: incoming, made };
}

/** Both have less by the quantity; an iceberg that has none left to show shows its next peak, behind all others. */
function lessBy(
  { wrong, levels }: Book,
  event: Trade | Prevented,
  { arriving, made }: Met,
  quantity: number,
): void {
  const { maker, taker, makerPeak } = event.data;
  if (arriving.money === null) arriving.leaves -= quantity;
  if (arriving.leaves !== taker.leaves || taker.leaves < 0) wrong(event, 'the taker’s leaves do not add up');
  made.leaves -= quantity;
  made.shown -= quantity;
  if (made.leaves !== maker.leaves || maker.leaves < 0) wrong(event, 'the maker’s leaves do not add up');
  if (made.shown < 0) wrong(event, `${maker.orderId} trades more than it shows`);
  const next = made.shown === 0 ? Math.min(made.leaves, made.peak ?? 0) : 0;
  if (next !== (makerPeak ?? 0)) wrong(event, `the next peak of ${maker.orderId} is ${next}`);
  if (made.leaves <= 0 || next === 0) return;
  levels.remove(made);
  levels.place({ ...made, shown: next, live: true });
}

const buys = ({ rules, input }: Book, arriving: Incoming, cents: number): number =>
  buysFor(arriving, cents, rules, input.version());
