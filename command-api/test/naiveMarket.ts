import type { AccountFact, BookFact } from '@brokerx/contracts';

/**
 * A market without any rules of its own: it does to open orders whatever the test's numbers say, within what every
 * market promises (prices within both limits, quantities that exist, one answer for each request).
 */
type Working = {
  orderId: string;
  accountId: string;
  revision: number;
  side: 'buy' | 'sell';
  limitTicks: number;
  quantity: number;
  /** Filled, or taken off because it met its own account. */
  filled: number;
};
type Amendment = { orderId: string; amendment: number; quantity: number; limitTicks?: number | undefined };

export function naiveMarket() {
  const orders = new Map<string, Working>();
  const amendments: Amendment[] = [];
  let trades = 0;
  const refOf = ({ orderId, accountId, revision }: Working) => ({ orderId, accountId, revision });
  const pick = <T>(all: readonly T[], number: number): T | undefined => all[number % Math.max(1, all.length)];

  return {
    take(fact: AccountFact, revision: number): void {
      if (fact.type === 'OrderPlaced.v1') {
        const { orderId, accountId, side, limitTicks, quantity } = fact.data;
        orders.set(orderId, { orderId, accountId, revision, side, limitTicks, quantity, filled: 0 });
      }
      if (fact.type === 'OrderAmendRequested.v1') amendments.push(fact.data);
    },
    open: () => orders.size,
    /** One thing that happens, chosen by a number. */
    happens(number: number): BookFact[] {
      const amendment = number % 3 === 0 ? amendments.shift() : undefined;
      if (amendment) return [answer(amendment, number)];
      const order = pick([...orders.values()], number >> 3);
      if (!order) return [];
      const opposite = [...orders.values()].filter(
        (resting) =>
          resting.side !== order.side &&
          (order.side === 'buy'
            ? order.limitTicks >= resting.limitTicks
            : order.limitTicks <= resting.limitTicks),
      );
      const maker = pick(opposite, number >> 5);
      if (maker && maker.accountId === order.accountId && number % 8 < 3) return decrement(order, maker);
      if (maker && number % 8 < 6) return [trade(order, maker, number >> 7)];
      const place = { order: refOf(order), side: order.side, priceTicks: order.limitTicks };
      const quantity = order.quantity - order.filled;
      if (number % 8 === 6) {
        orders.delete(order.orderId);
        return [{ type: 'OrderCanceled.v1', data: { ...place, quantity } }];
      }
      if (number % 8 === 7 && order.filled === 0) {
        orders.delete(order.orderId);
        return [{ type: 'OrderRejected.v1', data: { order: refOf(order), code: 'SYMBOL_HALTED' } }];
      }
      return [];
    },
  };

  function answer({ orderId, amendment, quantity, limitTicks }: Amendment, number: number): BookFact {
    const order = orders.get(orderId);
    if (!order || number % 5 === 0) {
      const unknown = { orderId, accountId: '00000000-0000-4000-8000-000000000000', revision: 0 };
      const code = order ? 'WOULD_TAKE' : 'ORDER_NOT_OPEN';
      const ref = order ? refOf(order) : unknown;
      return { type: 'OrderReplaceRejected.v1', data: { order: ref, amendment, code } };
    }
    const priceTicks = order.limitTicks;
    const ends = quantity <= order.filled;
    const leavesBefore = order.quantity - order.filled;
    order.quantity = Math.max(quantity, order.filled);
    const leaves = order.quantity - order.filled;
    if (leaves === 0) orders.delete(orderId);
    const { side } = order;
    const to = ends ? priceTicks : (limitTicks ?? priceTicks);
    order.limitTicks = to;
    const entry = { priceTicks: to, restingQuantity: leaves, entersAfter: 0 };
    return {
      type: 'OrderReplaced.v1',
      data: {
        order: refOf(order),
        amendment,
        side,
        priceTicks,
        quantity: order.quantity,
        leavesBefore,
        leaves,
        ...(to === priceTicks ? {} : { entry }),
      },
    };
  }

  /** Both lose what they would have traded; who has nothing left expires. */
  function decrement(taker: Working, maker: Working): BookFact[] {
    const quantity = Math.min(taker.quantity - taker.filled, maker.quantity - maker.filled);
    for (const order of [taker, maker]) order.filled += quantity;
    const sideOf = (order: Working) => ({ ...refOf(order), leaves: order.quantity - order.filled });
    const parties = { takerSide: taker.side, taker: sideOf(taker), maker: sideOf(maker) };
    const ended = [taker, maker].filter((order) => order.quantity === order.filled);
    for (const { orderId } of ended) orders.delete(orderId);
    return [
      {
        type: 'TradePrevented.v1',
        data: { mode: 'decrement', priceTicks: maker.limitTicks, quantity, ...parties },
      },
      ...ended.map(
        (order): BookFact => ({
          type: 'OrderExpired.v1',
          data: {
            order: refOf(order),
            side: order.side,
            priceTicks: order.limitTicks,
            quantity: 0,
            resting: order === maker,
            reason: 'SELF_TRADE_PREVENTED',
          },
        }),
      ),
    ];
  }

  function trade(taker: Working, maker: Working, number: number): BookFact {
    const most = Math.min(taker.quantity - taker.filled, maker.quantity - maker.filled);
    const quantity = 1 + (number % most);
    const [low, high] = [taker.limitTicks, maker.limitTicks].toSorted((a, b) => a - b) as [number, number];
    for (const order of [taker, maker]) {
      order.filled += quantity;
      if (order.filled === order.quantity) orders.delete(order.orderId);
    }
    trades += 1;
    return {
      type: 'TradeExecuted.v1',
      data: {
        trade: trades,
        priceTicks: low + (number % (high - low + 1)),
        tickCents: 1,
        quantity,
        takerSide: taker.side,
        taker: { ...refOf(taker), leaves: taker.quantity - taker.filled },
        maker: { ...refOf(maker), leaves: maker.quantity - maker.filled },
      },
    };
  }
}
