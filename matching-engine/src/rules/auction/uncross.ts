import type { Auction, BookFact, OrderRef } from '@brokerx/contracts';
import { remove } from '../../book/book.ts';
import { ENDS_WITH_CALL } from '../../book/flags.ts';
import type { RestingOrder } from '../../book/levels.ts';
import { fillsListed, printed } from '../orderList.ts';
import { type Engine, follows, lastPrice, listing, outputTime } from '../state.ts';
import { ratchet } from '../stops/stops.ts';
import { runTriggers } from '../stops/triggers.ts';
import { tellEnd } from '../untoldEnds.ts';
import { equilibriumOf } from './call.ts';
import { pair } from './equilibrium.ts';

/**
 * Uncrosses the call: its trades happen at one price, which becomes the static reference; then the orders for this call
 * end. There is no self-trade prevention, and no order is a taker. `time` is the input's.
 */
function uncross(engine: Engine, auction: Auction, time: string, outputs: BookFact[]): void {
  const listed = engine.listing;
  if (!listed) return;
  engine.call = null;
  const outputsBefore = outputs.length;
  const result = equilibriumOf(engine);
  outputs.push({ type: 'AuctionUncrossed.v1', data: { auction, ...result } });
  const { priceTicks } = result;
  if (priceTicks !== null) {
    const { tickCents } = listed.rules;
    const buyers = new Set<string>();
    pair(engine, result.quantity, ({ buy, sell, quantity, buyPeak, sellPeak, ...left }) => {
      engine.trades += 1;
      const maker = { ...refOf(buy), leaves: left.buyLeaves };
      const taker = { ...refOf(sell), leaves: left.sellLeaves };
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
      if (engine.lists.size > 0) buyers.add(buy.id);
      fillsListed(engine, buy.id, quantity, outputs);
      fillsListed(engine, sell.id, quantity, outputs);
    });
    engine.lastTicks = priceTicks;
    engine.lastTradeTime = outputTime(engine, { time });
    engine.listing = listing({ ...listed, referenceTicks: priceTicks });
    if (engine.watched.size > 0) printed(engine, priceTicks, (entryId) => buyers.has(entryId));
  }
  // The outputs of an uncross do not count towards the input's bound.
  engine.outputsEnd += outputs.length - outputsBefore;
  expireCallOrders(engine, outputs);
}

/** The day's last uncross: trailing stops follow its price, but no stop is triggered. */
export function uncrossAtClose(engine: Engine, auction: Auction, time: string, outputs: BookFact[]): void {
  const tradesBefore = engine.trades;
  uncross(engine, auction, time, outputs);
  if (engine.trades > tradesBefore && follows(engine, 4)) ratchet(engine.stops, engine.lastTicks);
}

/** Begins continuous trading: uncrosses the call, then triggers the stops that its price has reached. */
export function beginContinuous(engine: Engine, auction: Auction, time: string, outputs: BookFact[]): void {
  const before = lastPrice(engine);
  const tradesBefore = engine.trades;
  uncross(engine, auction, time, outputs);
  engine.state = 'continuous';
  outputs.push({ type: 'MarketStateChanged.v1', data: { state: 'continuous' } });
  if (engine.trades === tradesBefore || engine.stops.terms.size === 0) return;
  runTriggers(engine, { before, first: engine.lastTicks, last: engine.lastTicks }, time, outputs);
}

function expireCallOrders(engine: Engine, outputs: BookFact[]): void {
  const { book } = engine;
  // None of these orders is an iceberg, so nothing of them is hidden.
  for (const order of book.orders.values()) {
    if ((order.flags & ENDS_WITH_CALL) === 0) continue;
    const { side, priceTicks, leaves } = order;
    remove(book, order);
    const rest = { side, priceTicks, quantity: leaves, resting: true };
    const data = { order: refOf(order), ...rest, reason: 'AUCTION_ENDED' } as const;
    tellEnd(engine, { type: 'OrderExpired.v1', data }, outputs);
  }
}

const refOf = ({ id, accountId, revision }: RestingOrder): OrderRef => ({ orderId: id, accountId, revision });
