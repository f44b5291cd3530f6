import type { Auction, BookFact, OrderRef } from '@brokerx/contracts';
import { remove } from '../../book/book.ts';
import { ENDS_WITH_CALL } from '../../book/flags.ts';
import type { RestingOrder } from '../../book/levels.ts';
import { reportEnd } from '../deferredEnds.ts';
import { notePrint, reduceSiblings } from '../orderList.ts';
import { type Engine, follows, lastPrice, listing, outputTime } from '../state.ts';
import { moveTrailingStops } from '../stops/stops.ts';
import { runTriggers } from '../stops/triggers.ts';
import { equilibriumOf } from './call.ts';
import { pairOrders } from './equilibrium.ts';

/**
 * Uncrosses the call: its trades happen at one price, which becomes the static reference; then the orders for this call
 * alone expire. There is no self-trade prevention. `time` is the input's.
 */
function uncross(engine: Engine, auction: Auction, time: string, outputs: BookFact[]): void {
  const listingBefore = engine.listing;
  if (!listingBefore) return;
  engine.call = null;
  const outputsBefore = outputs.length;
  const result = equilibriumOf(engine);
  outputs.push({ type: 'AuctionUncrossed.v1', data: { auction, ...result } });
  const { priceTicks } = result;
  if (priceTicks !== null) {
    const { tickCents } = listingBefore.rules;
    const buyerIds = new Set<string>();
    pairOrders(engine, result.quantity, ({ buy, sell, quantity, buyPeak, sellPeak, ...leaves }) => {
      engine.trades += 1;
      const maker = { ...refOf(buy), leaves: leaves.buyLeaves };
      const taker = { ...refOf(sell), leaves: leaves.sellLeaves };
      const auction = { buyTicks: buy.priceTicks, sellTicks: sell.priceTicks };
      const terms = { trade: engine.trades, priceTicks, tickCents, quantity };
      const peaks = {
        ...(buyPeak > 0 ? { makerPeak: buyPeak } : {}),
        ...(sellPeak > 0 ? { takerPeak: sellPeak } : {}),
      };
      outputs.push({
        type: 'TradeExecuted.v1',
        data: { ...terms, takerSide: 'sell', maker, taker, ...peaks, auction },
      });
      if (engine.lists.size > 0) buyerIds.add(buy.id);
      reduceSiblings(engine, buy.id, quantity, outputs);
      reduceSiblings(engine, sell.id, quantity, outputs);
    });
    engine.lastTicks = priceTicks;
    engine.lastTradeTime = outputTime(engine, { time });
    engine.listing = listing({ ...listingBefore, referenceTicks: priceTicks });
    if (engine.watchedBrackets.size > 0) notePrint(engine, priceTicks, (entryId) => buyerIds.has(entryId));
  }
  // The outputs of an uncross do not count towards the input's bound.
  engine.outputsBound += outputs.length - outputsBefore;
  expireCallOrders(engine, outputs);
}

/** The day's last uncross: trailing stops follow its price, but no stop is triggered. */
export function uncrossAtClose(engine: Engine, auction: Auction, time: string, outputs: BookFact[]): void {
  const tradesBefore = engine.trades;
  uncross(engine, auction, time, outputs);
  if (engine.trades > tradesBefore && follows(engine, 4)) moveTrailingStops(engine.stops, engine.lastTicks);
}

/** Begins continuous trading: uncrosses the call, then triggers the stops that its price has reached. */
export function beginContinuous(engine: Engine, auction: Auction, time: string, outputs: BookFact[]): void {
  const priceBefore = lastPrice(engine);
  const tradesBefore = engine.trades;
  uncross(engine, auction, time, outputs);
  engine.state = 'continuous';
  outputs.push({ type: 'MarketStateChanged.v1', data: { state: 'continuous' } });
  if (engine.trades === tradesBefore || engine.stops.terms.size === 0) return;
  runTriggers(
    engine,
    { before: priceBefore, first: engine.lastTicks, last: engine.lastTicks },
    time,
    outputs,
  );
}

/** Expires the orders that end with this call. */
function expireCallOrders(engine: Engine, outputs: BookFact[]): void {
  const { book } = engine;
  // None of these orders is an iceberg, so nothing of them is hidden.
  for (const order of book.orders.values()) {
    if ((order.flags & ENDS_WITH_CALL) === 0) continue;
    const { side, priceTicks, leaves } = order;
    remove(book, order);
    const rest = { side, priceTicks, quantity: leaves, resting: true };
    const data = { order: refOf(order), ...rest, reason: 'AUCTION_ENDED' } as const;
    reportEnd(engine, { type: 'OrderExpired.v1', data }, outputs);
  }
}

const refOf = ({ id, accountId, revision }: RestingOrder): OrderRef => ({ orderId: id, accountId, revision });
