import type { BookFact, MarketFact } from '@brokerx/contracts';
import type { Input, Order } from './history.ts';

/** The naive book of a made history: best price first, then whoever came first. */
export type Book = { symbol: string; resting: Resting[]; trades: number; halted: boolean; lastTicks: number };
type Resting = { order: Order; leaves: number };

export const TICK_CENTS = 5;

type Ref = { orderId: string; accountId: string; revision: number };
const refOf = (order: Order): Ref => ({
  orderId: order.id,
  accountId: order.account.id,
  revision: order.revision,
});

export function matchMarket(book: Book, fact: MarketFact): BookFact[] {
  switch (fact.type) {
    case 'SymbolListed.v1':
      return [{ type: 'MarketStateChanged.v1', data: { state: 'continuous' } }];
    case 'TradingHalted.v1':
    case 'TradingResumed.v1': {
      const halts = fact.type === 'TradingHalted.v1';
      if (book.halted === halts) return [{ type: 'InputNoted.v1', data: {} }];
      book.halted = halts;
      return [{ type: 'MarketStateChanged.v1', data: { state: halts ? 'halt' : 'continuous' } }];
    }
    case 'DayEnded.v1': {
      const ending = book.resting.filter(({ order }) => order.timeInForce === 'day');
      book.resting = book.resting.filter(({ order }) => order.timeInForce !== 'day');
      if (ending.length === 0) return [{ type: 'InputNoted.v1', data: {} }];
      return ending.map(({ order, leaves }) => ({
        type: 'OrderExpired.v1',
        data: {
          order: refOf(order),
          side: order.side,
          priceTicks: order.ticks,
          quantity: leaves,
          resting: true,
          reason: 'DAY_ENDED',
        },
      }));
    }
    default:
      return [{ type: 'InputNoted.v1', data: {} }];
  }
}

export function matchOrder(book: Book, order: Order, ref: Ref): BookFact[] {
  if (book.halted) return [{ type: 'OrderRejected.v1', data: { order: ref, code: 'SYMBOL_HALTED' } }];
  const { side, ticks } = order;
  const trades: BookFact[] = [];
  let leaves = order.quantity;
  while (leaves > 0) {
    const best = book.resting
      .filter(
        (other) =>
          other.order.side !== side &&
          (side === 'buy' ? other.order.ticks <= ticks : other.order.ticks >= ticks),
      )
      .sort((a, b) => (side === 'buy' ? a.order.ticks - b.order.ticks : b.order.ticks - a.order.ticks))[0];
    if (!best) break;
    const quantity = Math.min(leaves, best.leaves);
    leaves -= quantity;
    best.leaves -= quantity;
    if (best.leaves === 0) book.resting.splice(book.resting.indexOf(best), 1);
    book.trades += 1;
    book.lastTicks = best.order.ticks;
    trades.push({
      type: 'TradeExecuted.v1',
      data: {
        trade: book.trades,
        priceTicks: best.order.ticks,
        tickCents: TICK_CENTS,
        quantity,
        takerSide: side,
        maker: { ...refOf(best.order), leaves: best.leaves },
        taker: { ...ref, leaves },
      },
    });
  }
  const rests = leaves > 0 && order.timeInForce !== 'ioc';
  if (rests) book.resting.push({ order, leaves });
  const accepted: BookFact = {
    type: 'OrderAccepted.v1',
    data: {
      order: ref,
      side,
      type: 'limit',
      timeInForce: order.timeInForce,
      quantity: order.quantity,
      limitTicks: ticks,
      restingQuantity: rests ? leaves : 0,
    },
  };
  if (leaves === 0 || rests) return [accepted, ...trades];
  const data = {
    order: ref,
    side,
    priceTicks: ticks,
    quantity: leaves,
    resting: false,
    reason: 'UNFILLED_IOC_QUANTITY_EXPIRED',
  } as const;
  return [accepted, ...trades, { type: 'OrderExpired.v1', data }];
}

export function amendResting(book: Book, at: number, { amendment, quantity }: Input, ref: Ref): BookFact {
  const resting = book.resting[at];
  if (!resting)
    return { type: 'OrderReplaceRejected.v1', data: { order: ref, amendment, code: 'ORDER_NOT_OPEN' } };
  const { order, leaves: leavesBefore } = resting;
  const filled = order.quantity - leavesBefore;
  const total = Math.max(quantity, filled);
  resting.leaves = total - filled;
  if (resting.leaves === 0) book.resting.splice(at, 1);
  return {
    type: 'OrderReplaced.v1',
    data: {
      order: ref,
      amendment,
      side: order.side,
      priceTicks: order.ticks,
      quantity: total,
      leavesBefore,
      leaves: resting.leaves,
    },
  };
}
