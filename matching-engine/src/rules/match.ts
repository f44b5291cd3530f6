import type { BookFact } from '@brokerx/contracts';
import { fill, matchable } from '../book/book.ts';
import { ICEBERG } from '../book/flags.ts';
import { isOutside } from './auction/band.ts';
import { isAtBound } from './bound.ts';
import { nextPeak, openQuantityOf } from './iceberg.ts';
import type { Incoming } from './incoming.ts';
import { affordable, spend } from './notional.ts';
import { notePrint, notePrintsBefore, reduceSiblings } from './orderList.ts';
import { prevent } from './selfTrade.ts';
import { type Engine, outputTime } from './state.ts';

/** Matches an order against the book: best price first, then the oldest order, each trade at the maker's price. */
export function match(engine: Engine, incoming: Incoming, outputs: BookFact[]): void {
  const { book } = engine;
  const { orderId, accountId, revision, side, limitTicks, tickCents, budget, band } = incoming;
  const preventsSelfTrades = incoming.selfTrade !== 'none';
  let lastMakerId = '';
  // Books made from the outputs still show orders whose end is not reported, so nothing may trade until it is.
  incoming.hitBound = engine.deferredEnds.length > 0;
  if (incoming.hitBound) return;
  while (incoming.leaves > 0) {
    const maker = matchable(book, side, limitTicks)?.first;
    if (!maker) break;
    if (budget) {
      incoming.leaves = affordable(budget, maker.priceTicks * tickCents);
      if (incoming.leaves === 0 || budget.lotsLeft === 0) break;
    }
    if (isAtBound(engine, outputs)) {
      incoming.hitBound = true;
      break;
    }
    if (preventsSelfTrades && maker.accountId === accountId) {
      prevent(engine, incoming, maker, outputs);
      if (incoming.ended) break;
      continue;
    }
    if (isOutside(band, maker.priceTicks)) {
      incoming.outsideBand = true;
      break;
    }
    let traded = Math.min(incoming.leaves, maker.leaves);
    if (budget) traded = Math.min(traded, budget.lotsLeft);
    const priceTicks = maker.priceTicks;
    if (engine.watchedBrackets.size > 0 && incoming.firstTicks > 0 && lastMakerId !== maker.id)
      notePrintsBefore(engine, maker.id, engine.lastTicks);
    lastMakerId = maker.id;
    fill(book, maker, traded);
    const isIceberg = (maker.flags & ICEBERG) !== 0;
    const makerLeaves = isIceberg ? openQuantityOf(engine, maker) : maker.leaves;
    const makerPeak = isIceberg && maker.leaves === 0 ? nextPeak(engine, maker) : 0;
    incoming.leaves = budget ? spend(budget, traded, priceTicks * tickCents) : incoming.leaves - traded;
    engine.trades += 1;
    if (incoming.firstTicks === 0) incoming.firstTicks = priceTicks;
    engine.lastTicks = priceTicks;
    const { id, accountId: makerAccountId, revision: makerRevision } = maker;
    const trade: Extract<BookFact, { type: 'TradeExecuted.v1' }>['data'] = {
      trade: engine.trades,
      priceTicks,
      tickCents,
      quantity: traded,
      takerSide: side,
      maker: { orderId: id, accountId: makerAccountId, revision: makerRevision, leaves: makerLeaves },
      taker: { orderId, accountId, revision, leaves: incoming.leaves },
    };
    if (makerPeak > 0) trade.makerPeak = makerPeak;
    outputs.push({ type: 'TradeExecuted.v1', data: trade });
    if (engine.lists.size > 0) {
      if (reduceSiblings(engine, maker.id, traded, outputs)) incoming.hasOtherOutputs = true;
      if (reduceSiblings(engine, orderId, traded, outputs)) incoming.hasOtherOutputs = true;
    }
  }
  if (incoming.firstTicks === 0) return;
  engine.lastTradeTime = outputTime(engine, incoming);
  if (engine.watchedBrackets.size === 0) return;
  // Prices of a sweep only rise or only fall, so the first or the last one is the lowest.
  const lowestTicks = side === 'buy' ? incoming.firstTicks : engine.lastTicks;
  notePrint(engine, lowestTicks, (entryId) => entryId === orderId || entryId === lastMakerId);
}
