import type { BookFact, EngineInput, RefusalCode, SymbolRules } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';
import type { ModelMarket, modelDay } from './modelDay.ts';

/** The model's amendments of orders in the book, of stops, and of orders that wait for the closing call. */
export function modelAmend({
  book,
  day,
  market,
  symbol,
  changeRefusal,
}: {
  book: ReturnType<typeof modelBook>;
  day: ReturnType<typeof modelDay>;
  market: ModelMarket;
  symbol: () => { rules: SymbolRules | null; matchingRules: number };
  changeRefusal: (
    of: SymbolRules,
    change: { quantity: number; bandExempt?: boolean | undefined },
    side: 'buy' | 'sell',
    price: number,
    moved: boolean,
  ) => RefusalCode | null;
}) {
  const { open, opposite, sweep, enter } = book;
  const isGathering = () => market.state !== 'continuous';
  const dynamicReference = () => book.state().lastTicks || market.reference;

  return function amend(
    data: Extract<EngineInput, { type: 'OrderAmendRequested.v1' }>['data'],
    revision: number,
    time: string,
  ): BookFact[] {
    const { orderId, accountId, amendment } = data;
    const { rules, matchingRules } = symbol();
    const order = { orderId, accountId, revision };
    const reject = (code: RefusalCode): BookFact[] => [
      { type: 'OrderReplaceRejected.v1', data: { order, amendment, code } },
    ];
    const resting = book.orders().find((o) => o.id === orderId && o.accountId === accountId);
    if (market.state === 'halt') return reject('SYMBOL_HALTED');
    if (market.state === 'closed') return reject('MARKET_CLOSED');
    const openOrders = [
      ...book.orders(),
      ...book.stops().map(({ placed: { orderId: id, quantity: q } }) => ({ id, quantity: q })),
    ];
    const leg = book.lists.has(orderId) ? openOrders.find(({ id }) => id === orderId) : undefined;
    // An amendment does not change the quantity of an order of a list.
    const quantity = leg?.quantity ?? data.quantity;
    const request = { ...data, quantity };
    const closingOrder = day.closingOrders().find((o) => o.id === orderId && o.accountId === accountId);
    if (rules && closingOrder) {
      const limit = data.limitTicks ?? closingOrder.price;
      const moved = limit !== closingOrder.price;
      const leavesBefore = closingOrder.quantity;
      if (data.limitTicks !== undefined && closingOrder.unpriced) return reject('ORDER_TYPE');
      if (!moved && quantity === leavesBefore) return reject('AMEND_NO_CHANGE');
      const wrong = changeRefusal(rules, request, closingOrder.side, limit, moved);
      if (wrong) return reject(wrong);
      day.changeClosingOrder(closingOrder, { quantity, price: limit }, !moved && quantity < leavesBefore);
      const change = {
        order,
        amendment,
        side: closingOrder.side,
        priceTicks: closingOrder.price,
        quantity,
        leavesBefore,
      };
      const limitTicks = moved ? { limitTicks: limit } : {};
      return [{ type: 'OrderReplaced.v1', data: { ...change, leaves: quantity, held: true, ...limitTicks } }];
    }
    const stop = book
      .stops()
      .find(({ placed }) => placed.orderId === orderId && placed.accountId === accountId);
    if (rules && stop) {
      const { side, type } = stop.placed;
      const limit = data.limitTicks ?? stop.placed.limitTicks;
      const moved = limit !== stop.placed.limitTicks;
      const leavesBefore = stop.placed.quantity;
      if (data.limitTicks !== undefined && type !== 'stop_limit') return reject('ORDER_TYPE');
      if (!moved && quantity === leavesBefore) return reject('AMEND_NO_CHANGE');
      const wrong = changeRefusal(rules, request, side, limit, moved);
      if (wrong) return reject(wrong);
      stop.placed = { ...stop.placed, bandExempt: data.bandExempt === true };
      book.changeStop(stop, quantity, limit, !moved && quantity < leavesBefore);
      const change = {
        order,
        amendment,
        side,
        priceTicks: stop.stop,
        quantity,
        leavesBefore,
        leaves: quantity,
      };
      const limitTicks = moved ? { limitTicks: limit } : {};
      return [{ type: 'OrderReplaced.v1', data: { ...change, held: true, ...limitTicks } }];
    }
    if (matchingRules > 1 && book.lists.dormantOf(orderId)?.placed.accountId === accountId)
      return reject('ORDER_LIST');
    if (!resting || !rules) return reject('ORDER_NOT_OPEN');
    const { side, price: priceTicks } = resting;
    const price = data.limitTicks ?? priceTicks;
    if (data.limitTicks !== undefined && resting.unpriced) return reject('ORDER_TYPE');
    if (price === priceTicks && quantity === resting.quantity) return reject('AMEND_NO_CHANGE');
    if (matchingRules === 1 && (price !== priceTicks || quantity > resting.quantity)) {
      return reject('AMEND_NOT_A_REDUCTION');
    }
    const leavesBefore = open(resting);
    const shownBefore = resting.peak === null ? {} : { shownBefore: resting.shown };
    const replacedFact = (total: number, leaves: number): BookFact & { type: 'OrderReplaced.v1' } => ({
      type: 'OrderReplaced.v1',
      data: { order, amendment, side, priceTicks, quantity: total, leavesBefore, leaves, ...shownBefore },
    });
    if (quantity <= resting.done) {
      book.drop(resting);
      return [replacedFact(resting.done, 0)];
    }
    if (matchingRules > 1) {
      const moved = price !== priceTicks;
      const wrong = changeRefusal(rules, request, side, price, moved);
      if (wrong) return reject(wrong);
      if (resting.peak !== null && quantity / resting.peak > 100) return reject('ICEBERG_PEAKS');
      if (moved && resting.postOnly && !isGathering() && opposite(side, price).length > 0)
        return reject('WOULD_TAKE');
    }
    const keepsPriority = price === priceTicks && quantity < resting.quantity;
    const replaced = replacedFact(quantity, quantity - resting.done);
    resting.quantity = quantity;
    if (keepsPriority) {
      if (resting.peak !== null) {
        resting.shown = Math.min(resting.shown, open(resting));
        replaced.data.shown = resting.shown;
      }
      return [replaced];
    }
    book.drop(resting);
    const amended = { ...resting, price };
    const before = dynamicReference();
    amended.exempt = data.bandExempt === true;
    book.rules.outputCount += 1;
    const unmatched = { facts: [], ended: false, outside: false, bounded: false };
    const { facts, ended, outside, bounded } = isGathering()
      ? unmatched
      : sweep(amended, rules.tickCents, time);
    const restingQuantity = ended || bounded ? 0 : open(amended);
    const shown = restingQuantity > 0 ? enter(amended) : {};
    replaced.data.entry = { priceTicks: price, restingQuantity, entersAfter: facts.length, ...shown };
    if (bounded) {
      const { id, revision: placedAt } = resting;
      const rest = { side, priceTicks: price, quantity: open(amended), resting: false };
      const ref = { orderId: id, accountId, revision: placedAt };
      facts.push({ type: 'OrderExpired.v1', data: { order: ref, ...rest, reason: 'EXECUTION_BOUND' } });
      book.rules.outputCount += 1;
    }
    book.moveEndBack(orderId);
    const callFacts = outside ? book.rules.beginVolatilityAuction() : [];
    return [replaced, ...facts, ...callFacts, ...book.runTriggers(facts, before, time)];
  };
}
