import type { BookFact, SelfTradeMode } from '@brokerx/contracts';
import { fill, matchable } from '../book/book.ts';
import { ICEBERG } from '../book/flags.ts';
import type { Side } from '../book/levels.ts';
import { type Band, isOutside } from './auction/band.ts';
import { isFull } from './bound.ts';
import { nextPeak, openOf } from './iceberg.ts';
import { affordable, type Budget, spend } from './notional.ts';
import { fillsListed, printed, printedBefore } from './orderList.ts';
import { prevent } from './selfTrade.ts';
import { type Engine, outputTime } from './state.ts';

/** An order on its way into the book: one that arrives, or one whose change gave it a new priority. */
export type Incoming = {
  readonly orderId: string;
  readonly accountId: string;
  /** A revision at or after which its account knows it. */
  readonly revision: number;
  readonly side: Side;
  readonly limitTicks: number;
  readonly tickCents: number;
  readonly selfTrade: SelfTradeMode;
  /** Of the input. */
  readonly time: string;
  /** What it still wants; of a budget, what that buys at the price looked at last. */
  leaves: number;
  /** Within which it trades; null: wherever its limit reaches. */
  readonly band: Band | null;
  /** It is for an amount of money. */
  readonly budget: Budget | null;
  /** Self-trade prevention has ended it, and its end is told. */
  ended: boolean;
  /** It met somebody outside the band, and stopped there. */
  outside: boolean;
  /** There was more to match than one input may bring about: its rest expires. */
  bounded: boolean;
  /** More than its trades is told before it rests: matches were prevented, or other orders have less by its trades. */
  prevented: boolean;
  /** Price of its first trade; 0 before. The last one's is the engine's. */
  firstTicks: number;
};

/** Trades at the makers' prices, best price and then oldest order first, until nothing is left or nobody is met. */
export function match(engine: Engine, incoming: Incoming, outputs: BookFact[]): void {
  const { book } = engine;
  const { orderId, accountId, revision, side, limitTicks, tickCents, budget, band } = incoming;
  const prevents = incoming.selfTrade !== 'none';
  let lastMaker = '';
  // Orders that have ended stand in the book for whoever follows it, until that is told.
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
    const iced = (maker.flags & ICEBERG) !== 0;
    const makerLeaves = iced ? openOf(engine, maker) : maker.leaves;
    const makerPeak = iced && maker.leaves === 0 ? nextPeak(engine, maker) : 0;
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
  // A sweep's prices rise or fall all the way.
  const lowest = side === 'buy' ? incoming.firstTicks : engine.lastTicks;
  printed(engine, lowest, (entryId) => entryId === orderId || entryId === lastMaker);
}
