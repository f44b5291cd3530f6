import { ICEBERG_PEAKS_MAX, type MarketState } from '@brokerx/contracts';
import type { Findings } from '../findings.ts';
import type { AuditedOrder } from '../order.ts';
import type { RawEvent } from '../rawEvent.ts';
import { auditedAuctions } from './auctions.ts';
import { auditedBands } from './bands.ts';
import { buysFor, type Incoming } from './bookIncoming.ts';
import { auditedInput } from './bookInput.ts';
import { auditedLevels, type Resting } from './bookLevels.ts';
import { auditedLists } from './bookLists.ts';
import { auditedMoney } from './bookMoney.ts';
import { auditedStops } from './bookStops.ts';

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
  found: Findings,
): AuditedBook {
  const levels = auditedLevels();
  const { resting, best, remove, enter, place } = levels;
  let incoming: Incoming | undefined;
  const input = auditedInput(symbol, found);
  const { version } = input;
  const stops = auditedStops(symbol, found, version);
  const rules = { lotShares: 1, orderSharesMax: Number.MAX_SAFE_INTEGER };
  let trades = 0;
  let state: MarketState = 'continuous';
  const wrong = (event: RawEvent, what: string) =>
    found.add('mismatch', `${symbol}@${event.revision}: ${what}`);

  const lists = auditedLists({ symbol, orders, resting, stops, found });
  const auctions = auditedAuctions({ ...levels, shadowed: lists.shadowed, wrong, version });
  const bands = auditedBands(wrong);
  const sells = () => levels.inPriority('sell');
  const spent = auditedMoney({ orders, sells, othersOf: lists.othersOf, bands, rules, version, wrong });

  /** The two that meet: the one that is arriving, and the one in the book that has priority. */
  const meet = (
    event: Extract<RawEvent, { type: 'TradeExecuted.v1' | 'TradePrevented.v1' }>,
  ): { arriving: Incoming; made: Resting } | undefined => {
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
    const first = best(takerSide === 'buy' ? 'sell' : 'buy');
    if (first?.id !== maker.orderId) {
      wrong(event, `${maker.orderId} traded, but ${first?.id ?? 'nobody'} had priority`);
    }
    if (incoming.order.postOnly) wrong(event, `${taker.orderId} is post-only and meets another order`);
    const made = resting.get(maker.orderId);
    if (!made) {
      wrong(event, `maker ${maker.orderId} is not in the book`);
      return undefined;
    }
    if (made.ticks !== priceTicks) wrong(event, `the price is ${priceTicks}, the maker’s is ${made.ticks}`);
    return { arriving: incoming, made };
  };
  const lessBy = (
    event: Extract<RawEvent, { type: 'TradeExecuted.v1' | 'TradePrevented.v1' }>,
    { arriving, made }: { arriving: Incoming; made: Resting },
    quantity: number,
  ) => {
    const { maker, taker, makerPeak } = event.data;
    if (arriving.money === null) arriving.leaves -= quantity;
    if (arriving.leaves !== taker.leaves || taker.leaves < 0)
      wrong(event, 'the taker’s leaves do not add up');
    made.leaves -= quantity;
    made.shown -= quantity;
    if (made.leaves !== maker.leaves || maker.leaves < 0) wrong(event, 'the maker’s leaves do not add up');
    if (made.shown < 0) wrong(event, `${maker.orderId} trades more than it shows`);
    const next = made.shown === 0 ? Math.min(made.leaves, made.peak ?? 0) : 0;
    if (next !== (makerPeak ?? 0)) wrong(event, `the next peak of ${maker.orderId} is ${next}`);
    if (made.leaves <= 0 || next === 0) return;
    remove(made);
    place({ ...made, shown: next, live: true });
  };
  const buys = (arriving: Incoming, cents: number) => buysFor(arriving, cents, rules, version());

  const trade = (event: Extract<RawEvent, { type: 'TradeExecuted.v1' }>) => {
    const { maker, taker, quantity } = event.data;
    trades += 1;
    stops.traded(event.data.priceTicks, [orders.get(maker.orderId), orders.get(taker.orderId)]);
    if (event.data.trade !== trades) wrong(event, `trade ${event.data.trade} is the ${trades}th`);
    bands.traded(event, incoming?.order);
    lists.traded(event);
    if (event.data.auction) return auctions.paired(event);
    if (state !== 'continuous') wrong(event, `a trade while the market is in ${state}`);
    const met = meet(event);
    if (!met) return;
    if (met.arriving.order.selfTrade !== 'none' && maker.accountId === taker.accountId) {
      wrong(event, `${taker.orderId} traded with its own account`);
    }
    const { arriving, made } = met;
    arriving.filled += quantity;
    arriving.tradedAt = event.data.priceTicks;
    if (arriving.money !== null) {
      const cents = event.data.priceTicks * event.data.tickCents;
      arriving.money -= quantity * cents;
      if (arriving.money < 0) wrong(event, `${taker.orderId} spends more than it has`);
      arriving.leaves = buys(arriving, cents);
    }
    lessBy(event, met, quantity);
    if (made.leaves <= 0) remove(made);
    if (arriving.money !== null && arriving.leaves === 0) spent(event, arriving);
  };

  const entered = (event: Extract<RawEvent, { type: 'OrderEntered.v1' }>) => {
    const { order, limitTicks, quantity } = event.data;
    const waited = stops.release(event, order.orderId);
    if (!waited) return;
    if (state !== 'closing_auction' || waited.order.timeInForce !== 'cls')
      wrong(event, `${order.orderId} enters while the market is in ${state}`);
    if (waited.limitTicks !== limitTicks || waited.quantity !== quantity)
      wrong(event, `${order.orderId} enters as another order than it was placed`);
    enter(waited.order, limitTicks, quantity, version());
  };

  const prevented = (event: Extract<RawEvent, { type: 'TradePrevented.v1' }>) => {
    const { maker, taker, quantity, mode } = event.data;
    const met = meet(event);
    if (!met) return;
    if (maker.accountId !== taker.accountId) wrong(event, 'a match of two accounts was prevented');
    if (mode !== met.arriving.order.selfTrade)
      wrong(event, `${taker.orderId} prevents by ${met.arriving.order.selfTrade}`);
    const { arriving, made } = met;
    if (arriving.money !== null) arriving.leaves = buys(arriving, made.ticks * arriving.order.tickCents);
    if (quantity !== Math.min(arriving.leaves, made.shown)) wrong(event, 'the prevented quantity is wrong');
    lessBy(event, met, mode === 'decrement' ? quantity : 0);
  };

  /** All that was told of the arriving order is applied: what is left of it goes into the book. */
  const arrived = () => {
    if (!incoming) return;
    const { order, ticks, leaves, toRest, filled, changed } = incoming;
    incoming = undefined;
    if (leaves !== toRest) {
      found.add('mismatch', `${symbol}: ${order.id} has ${leaves} left, ${toRest} were to rest`);
    }
    const least = order.timeInForce === 'fok' ? order.quantity : order.minQuantity;
    if (!changed && (filled > 0 || toRest > 0) && filled < least) {
      found.add('mismatch', `${symbol}: ${order.id} filled ${filled} at once and rests, it wanted ${least}`);
    }
    if (toRest === 0) return;
    const opposite = state === 'continuous' && best(order.side === 'buy' ? 'sell' : 'buy');
    if (opposite && (order.side === 'buy' ? opposite.ticks <= ticks : opposite.ticks >= ticks)) {
      found.add('mismatch', `${symbol}: the book is crossed after ${order.id}`);
    }
    enter(order, ticks, toRest, version());
  };

  const triggered = (event: Extract<RawEvent, { type: 'OrderTriggered.v1' }>) => {
    arrived();
    const { limitTicks: ticks, quantity: leaves, restingQuantity: toRest } = event.data;
    const order = stops.triggered(event);
    if (toRest > 0 && order?.type !== 'stop_limit') bands.mustGather(event);
    if (order) incoming = { order, ticks, leaves, toRest, filled: 0, changed: true, money: null };
  };

  type Gone = Extract<RawEvent, { type: 'OrderCanceled.v1' | 'OrderExpired.v1' }>;
  const gone = (event: Gone) => {
    const { quantity, shownQuantity = quantity } = event.data;
    const { orderId } = event.data.order;
    const entry = resting.get(orderId);
    if (!entry) return wrong(event, `${orderId} is not in the book`);
    if (entry.leaves !== quantity) wrong(event, `${quantity} left the book, ${entry.leaves} were in it`);
    if (entry.shown !== shownQuantity) wrong(event, `${orderId} showed ${entry.shown}`);
    remove(entry);
  };

  /** An order of a bracket arrives, for what the entry has bought. */
  const activated = (event: Extract<RawEvent, { type: 'OrderActivated.v1' }>) => {
    arrived();
    const { order: ref, quantity, limitTicks, restingQuantity: toRest, held } = event.data;
    if (version() >= 4 && state !== 'continuous')
      wrong(event, `${ref.orderId} arms while the market is in ${state}`);
    const order = stops.wake(event, ref.orderId);
    if (!order) return;
    if (limitTicks !== order.limitTicks) wrong(event, `${order.id} is not what was placed`);
    if (held) return stops.hold(event, order, { quantity, limitTicks });
    incoming = { order, ticks: limitTicks, leaves: quantity, toRest, filled: 0, changed: true, money: null };
  };

  return {
    apply(event) {
      input.told(event);
      lists.before(event);
      switch (event.type) {
        case 'OrderAccepted.v1': {
          const order = orders.get(event.data.order.orderId);
          if (!order) {
            found.add('phantom', `${symbol}@${event.revision}: accepted an order that nobody placed`);
            return;
          }
          if (order.accepted)
            found.add('duplicate', `${symbol}@${event.revision}: ${order.id} is accepted again`);
          order.accepted = true;
          const { quantity, limitTicks, side, restingQuantity } = event.data;
          if (quantity !== order.quantity || limitTicks !== order.limitTicks || side !== order.side) {
            wrong(event, `${order.id} is not what was placed`);
          }
          const atOnce = order.timeInForce === 'ioc' || order.timeInForce === 'fok';
          const mayRest = !atOnce && (order.type === 'limit' || order.type === 'market');
          if (version() >= 4 && order.peak !== null && quantity > ICEBERG_PEAKS_MAX * order.peak)
            wrong(event, `${order.id} has more peaks than ${ICEBERG_PEAKS_MAX}`);
          if (restingQuantity > 0 && order.type === 'market') bands.mustGather(event);
          if (restingQuantity > 0 && !mayRest) wrong(event, `${order.id} must not rest`);
          arrived();
          if (event.data.dormant) return stops.sleep(order);
          if (event.data.held) {
            return stops.hold(event, order, { quantity, limitTicks });
          }
          incoming = {
            order,
            ticks: limitTicks,
            leaves: quantity,
            toRest: restingQuantity,
            filled: 0,
            changed: false,
            money: order.notionalCents,
          };
          return;
        }
        case 'OrderActivated.v1':
          return activated(event);
        case 'TradeExecuted.v1':
          return trade(event);
        case 'TradePrevented.v1':
          return prevented(event);
        case 'MarketStateChanged.v1':
          state = event.data.state;
          return;
        case 'AuctionUncrossed.v1':
          input.notOver(
            event,
            [...resting.keys()].flatMap((id) => orders.get(id) ?? []),
            stops.waiting(),
          );
          return auctions.uncrossed(event);
        case 'OrderEntered.v1':
          return entered(event);
        case 'OrderTriggered.v1':
          return triggered(event);
        case 'OrderCanceled.v1':
          if (event.data.held) return void stops.release(event, event.data.order.orderId);
          return gone(event);
        case 'OrderReduced.v1':
          return lists.reduced(event);
        case 'OrderExpired.v1': {
          if (event.data.reason === 'OCO_TRIGGER') lists.lessened(event);
          stops.ends(event);
          if (event.data.resting) return gone(event);
          if (stops.has(event.data.order.orderId)) return void stops.release(event, event.data.order.orderId);
          if (incoming?.order.id === event.data.order.orderId && incoming.money !== null) {
            if (incoming.money !== event.data.leftCents || event.data.quantity !== 0)
              wrong(event, `${incoming.money} cents of ${incoming.order.id} are left`);
            incoming.leaves = 0;
            spent(event, incoming);
          } else if (
            incoming?.order.id !== event.data.order.orderId ||
            incoming.leaves !== event.data.quantity
          ) {
            wrong(event, `the expired rest of ${event.data.order.orderId} does not add up`);
          } else incoming.leaves = 0;
          return;
        }
        case 'OrderCompleted.v1': {
          const { order, leftCents } = event.data;
          if (incoming?.order.id !== order.orderId || incoming.money !== leftCents || incoming.filled === 0)
            return wrong(event, `${order.orderId} could still buy`);
          incoming.leaves = 0;
          return spent(event, incoming);
        }
        case 'OrderReplaced.v1': {
          const { order, leavesBefore, leaves, entry: anew, priceTicks } = event.data;
          const changed = orders.get(order.orderId);
          if (changed) changed.bandExempt = changed.asksExemption || (version() < 4 && changed.bandExempt);
          if (event.data.held) return stops.change(event);
          const entry = resting.get(order.orderId);
          const known = orders.get(order.orderId);
          if (!entry || entry.leaves !== leavesBefore || entry.ticks !== priceTicks || !known) {
            return wrong(event, `the change of ${order.orderId} does not add up`);
          }
          if (!anew) {
            if (leaves >= entry.leaves)
              wrong(event, `${order.orderId} keeps its place without being reduced`);
            entry.leaves = leaves;
            // What is hidden goes first.
            const shown = Math.min(entry.shown, leaves);
            if (entry.peak !== null && leaves > 0 && event.data.shown !== shown)
              wrong(event, `${order.orderId} shows ${shown}`);
            entry.shown = shown;
            if (entry.leaves === 0) remove(entry);
            return;
          }
          remove(entry);
          const { priceTicks: ticks, restingQuantity: toRest } = anew;
          incoming = { order: known, ticks, leaves, toRest, filled: 0, changed: true, money: null };
          return;
        }
        default:
          return;
      }
    },
    inputDone() {
      arrived();
      lists.inputDone();
      stops.inputDone(state, input.isFull());
      input.done();
      auctions.inputDone();
      bands.inputDone(state !== 'continuous');
    },
    market(event) {
      bands.market(event);
      input.market(event);
      if (event.type === 'SymbolListed.v1') auctions.refer(event.data.rules.listingTicks);
      if (event.type === 'DayEnded.v1') auctions.refer(event.data.closeTicks);
    },
    get trades() {
      return trades;
    },
    openOrders: () => resting.size,
    rules,
  };
}
