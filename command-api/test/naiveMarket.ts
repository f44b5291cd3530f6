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
  filled: number;
};

export function naiveMarket() {
  const orders = new Map<string, Working>();
  const amendments: { orderId: string; amendment: number; quantity: number }[] = [];
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
      if (amendment) return [answer(amendment)];
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

  function answer({
    orderId,
    amendment,
    quantity,
  }: {
    orderId: string;
    amendment: number;
    quantity: number;
  }): BookFact {
    const order = orders.get(orderId);
    if (!order) {
      const order = { orderId, accountId: '00000000-0000-4000-8000-000000000000', revision: 0 };
      return { type: 'OrderReplaceRejected.v1', data: { order, amendment, code: 'ORDER_NOT_OPEN' } };
    }
    const leavesBefore = order.quantity - order.filled;
    order.quantity = Math.max(quantity, order.filled);
    const leaves = order.quantity - order.filled;
    if (leaves === 0) orders.delete(orderId);
    const { side, limitTicks: priceTicks } = order;
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
      },
    };
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
