import type { BookFact, EngineInput, MarketState, SymbolRules } from '@brokerx/contracts';
import type { PlacedInput } from '../src/engine.ts';
import type { EngineSnapshot } from '../src/snapshot.ts';

/**
 * The market rules once more, as plainly as they can be said: one array of orders, sorted anew for every match. It
 * shares no code with the engine, and is what the engine is compared with.
 */
type Order = {
  id: string;
  accountId: string;
  revision: number;
  side: 'buy' | 'sell';
  price: number;
  day: boolean;
  quantity: number;
  filled: number;
  arrival: number;
};

export type Model = {
  apply(input: PlacedInput): BookFact[];
  state(): EngineSnapshot;
};

export function model(symbol: string): Model {
  let orders: Order[] = [];
  let rules: SymbolRules | null = null;
  let matchingRules = 0;
  let reference = 0;
  let state: MarketState = 'continuous';
  let bandsOff = false;
  let trades = 0;
  let lastTradeTime = '';
  let arrivals = 0;

  const open = (order: Order) => order.quantity - order.filled;
  const opposite = (side: 'buy' | 'sell', limit: number) =>
    orders
      .filter((o) => o.side !== side && (side === 'buy' ? o.price <= limit : o.price >= limit))
      .sort((a, b) => (side === 'buy' ? a.price - b.price : b.price - a.price) || a.arrival - b.arrival);

  function place(
    data: Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'],
    revision: number,
    time: string,
  ) {
    const { orderId, accountId, side, type, timeInForce, quantity, limitTicks, tickCents } = data;
    const order = { orderId, accountId, revision };
    const reject = (code: Extract<BookFact, { type: 'OrderRejected.v1' }>['data']['code']): BookFact[] => [
      { type: 'OrderRejected.v1', data: { order, code } },
    ];
    if (!rules) return reject('UNKNOWN_SYMBOL');
    if (state === 'halt') return reject('SYMBOL_HALTED');
    if (quantity === 0 || quantity > rules.orderSharesMax) return reject('ORDER_SIZE');
    if (limitTicks === 0 || tickCents !== rules.tickCents) return reject('PRICE_TICK');
    const step = Math.floor((reference * rules.collarPpm) / 1_000_000);
    const tooLow = limitTicks < Math.max(1, reference - step);
    const tooHigh = limitTicks > reference + step;
    if (type === 'limit' && !data.bandExempt && !bandsOff && (tooLow || tooHigh)) return reject('PRICE_BAND');

    let left = quantity;
    const matches: BookFact[] = [];
    const makers = opposite(side, limitTicks);
    const reachable = makers.reduce((sum, maker) => sum + open(maker), 0);
    if (timeInForce !== 'fok' || reachable >= quantity) {
      for (const maker of makers) {
        if (left === 0) break;
        const traded = Math.min(left, open(maker));
        maker.filled += traded;
        left -= traded;
        trades += 1;
        if (time > lastTradeTime) lastTradeTime = time;
        const makerRef = { orderId: maker.id, accountId: maker.accountId, revision: maker.revision };
        matches.push({
          type: 'TradeExecuted.v1',
          data: {
            trade: trades,
            priceTicks: maker.price,
            tickCents,
            quantity: traded,
            takerSide: side,
            maker: { ...makerRef, leaves: open(maker) },
            taker: { ...order, leaves: left },
          },
        });
      }
      orders = orders.filter((o) => open(o) > 0);
    }
    const rests = type === 'limit' && ['day', 'gtc'].includes(timeInForce) && left > 0;
    if (rests) {
      arrivals += 1;
      orders.push({
        id: orderId,
        accountId,
        revision,
        side,
        price: limitTicks,
        day: timeInForce === 'day',
        quantity,
        filled: quantity - left,
        arrival: arrivals,
      });
    }
    const restingQuantity = rests ? left : 0;
    const accepted: BookFact = {
      type: 'OrderAccepted.v1',
      data: { order, side, type, timeInForce, quantity, limitTicks, restingQuantity },
    };
    if (left === 0 || rests) return [accepted, ...matches];
    const reasons = {
      fok: 'UNFILLED_FOK_ORDER_EXPIRED',
      market: 'INSUFFICIENT_LIQUIDITY',
      limit: 'UNFILLED_IOC_QUANTITY_EXPIRED',
    } as const;
    const reason = timeInForce === 'fok' ? reasons.fok : reasons[type];
    const data1 = { order, side, priceTicks: limitTicks, quantity: left, resting: false, reason };
    return [accepted, ...matches, { type: 'OrderExpired.v1', data: data1 } satisfies BookFact];
  }

  function apply({ event, revision }: PlacedInput): BookFact[] {
    switch (event.type) {
      case 'OrderPlaced.v1':
        return place(event.data, revision, event.time);
      case 'OrderCancelRequested.v1': {
        const { orderId, accountId } = event.data;
        const order = { orderId, accountId, revision };
        const found = orders.find((o) => o.id === orderId && o.accountId === accountId);
        if (!found) return [{ type: 'OrderCancelRejected.v1', data: { order, code: 'ORDER_NOT_OPEN' } }];
        orders = orders.filter((o) => o !== found);
        const data = { order, side: found.side, priceTicks: found.price, quantity: open(found) };
        return [{ type: 'OrderCanceled.v1', data }];
      }
      case 'OrderAmendRequested.v1': {
        const { orderId, accountId, amendment, quantity } = event.data;
        const order = { orderId, accountId, revision };
        const found = orders.find((o) => o.id === orderId && o.accountId === accountId);
        const code =
          state === 'halt'
            ? 'SYMBOL_HALTED'
            : !found
              ? 'ORDER_NOT_OPEN'
              : quantity === found.quantity
                ? 'AMEND_NO_CHANGE'
                : quantity > found.quantity
                  ? 'AMEND_NOT_A_REDUCTION'
                  : null;
        if (code || !found) {
          return [
            { type: 'OrderReplaceRejected.v1', data: { order, amendment, code: code ?? 'ORDER_NOT_OPEN' } },
          ];
        }
        const leavesBefore = open(found);
        found.quantity = Math.max(quantity, found.filled);
        orders = orders.filter((o) => open(o) > 0);
        const side = { side: found.side, priceTicks: found.price };
        const after = { quantity: found.quantity, leavesBefore, leaves: open(found) };
        return [{ type: 'OrderReplaced.v1', data: { order, amendment, ...side, ...after } }];
      }
      case 'SymbolListed.v1':
        rules = event.data.rules;
        matchingRules = event.data.matchingRules;
        reference = rules.listingTicks;
        return [{ type: 'MarketStateChanged.v1', data: { state: 'continuous' } }];
      case 'SymbolExemptionsChanged.v1':
        bandsOff = event.data.bandsOff;
        return [{ type: 'InputNoted.v1', data: {} }];
      case 'TradingHalted.v1':
      case 'TradingResumed.v1': {
        const next = event.type === 'TradingHalted.v1' ? 'halt' : 'continuous';
        if (!rules || next === state) return [{ type: 'InputNoted.v1', data: {} }];
        state = next;
        return [{ type: 'MarketStateChanged.v1', data: { state } }];
      }
      case 'DayEnded.v1': {
        if (rules) reference = event.data.closeTicks;
        const expired = orders.filter((o) => o.day);
        orders = orders.filter((o) => !o.day);
        if (expired.length === 0) return [{ type: 'InputNoted.v1', data: {} }];
        return expired.map((o) => ({
          type: 'OrderExpired.v1',
          data: {
            order: { orderId: o.id, accountId: o.accountId, revision: o.revision },
            side: o.side,
            priceTicks: o.price,
            quantity: open(o),
            resting: true,
            reason: 'DAY_ENDED',
          },
        }));
      }
    }
  }

  return {
    apply,
    state: () => ({
      symbol,
      listing: rules && { rules, matchingRules, referenceTicks: reference },
      state,
      bandsOff,
      trades,
      lastTradeTime,
      orders: orders.map((o) => [o.id, o.accountId, o.revision, o.side, o.price, o.day, o.quantity, open(o)]),
    }),
  };
}
