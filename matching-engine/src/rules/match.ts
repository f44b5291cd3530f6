import type { BookFact } from '@brokerx/contracts';
import { fill, matchable } from '../book/book.ts';
import { ICEBERG } from '../book/flags.ts';
import { isOutside } from './auction/band.ts';
import { isFull } from './bound.ts';
import { nextPeak, openOf } from './iceberg.ts';
import type { Incoming } from './incoming.ts';
import { affordable, spend } from './notional.ts';
import { fillsListed, printed, printedBefore } from './orderList.ts';
import { prevent } from './selfTrade.ts';
import { type Engine, outputTime } from './state.ts';

/** Matches an order against the book: best price first, then the oldest order, each trade at the maker's price. */
export function match(engine: Engine, incoming: Incoming, outputs: BookFact[]): void {
  const { book } = engine;
  const { orderId, accountId, revision, side, limitTicks, tickCents, budget, band } = incoming;
  const prevents = incoming.selfTrade !== 'none';
  let lastMaker = '';
  // Orders whose end awaits output are still in the book that readers see, so nothing may trade before that.
  incoming.bounded = engine.left.length > 0;
  if (incoming.bounded) return;
  while (incoming.leaves > 0) {
    const maker = matchable(book, side, limitTicks)?.first;
    if (!maker) break;
    if (budget) {
      incoming.leaves = affordable(budget, maker.priceTicks * tickCents);
      if (incoming.leaves === 0 || budget.lotsLeft === 0) break;
    }
    if (isFull(engine, outputs)) {
      incoming.bounded = true;
      break;
    }
    if (prevents && maker.accountId === accountId) {
      prevent(engine, incoming, maker, outputs);
      if (incoming.ended) break;
      continue;
    }
    if (isOutside(band, maker.priceTicks)) {
      incoming.outside = true;
      break;
    }
    let traded = Math.min(incoming.leaves, maker.leaves);
    if (budget) traded = Math.min(traded, budget.lotsLeft);
    const priceTicks = maker.priceTicks;
    if (engine.watched.size > 0 && incoming.firstTicks > 0 && lastMaker !== maker.id)
      printedBefore(engine, maker.id, engine.lastTicks);
    lastMaker = maker.id;
    fill(book, maker, traded);
    const isIceberg = (maker.flags & ICEBERG) !== 0;
    const makerLeaves = isIceberg ? openOf(engine, maker) : maker.leaves;
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
      if (fillsListed(engine, maker.id, traded, outputs)) incoming.prevented = true;
      if (fillsListed(engine, orderId, traded, outputs)) incoming.prevented = true;
    }
  }
  if (incoming.firstTicks === 0) return;
  engine.lastTradeTime = outputTime(engine, incoming);
  if (engine.watched.size === 0) return;
  // Prices of a sweep only rise or only fall, so the first or the last one is the lowest.
  const lowest = side === 'buy' ? incoming.firstTicks : engine.lastTicks;
  printed(engine, lowest, (entryId) => entryId === orderId || entryId === lastMaker);
}
