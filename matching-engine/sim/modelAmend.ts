import type { BookFact, EngineInput, RefusalCode, SymbolRules } from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';
import type { ModelMarket, modelDay } from './modelDay.ts';

/** Changes of orders once more: in the book, waiting for a trigger, waiting for the closing call. */
export function modelAmend({
  book,
  day,
  market,
  symbol,
  wrongChange,
}: {
  book: ReturnType<typeof modelBook>;
  day: ReturnType<typeof modelDay>;
  market: ModelMarket;
  symbol: () => { rules: SymbolRules | null; matchingRules: number };
  wrongChange: (
    of: SymbolRules,
    change: { quantity: number; bandExempt?: boolean | undefined },
    side: 'buy' | 'sell',
    price: number,
    moved: boolean,
  ) => RefusalCode | null;
}) {
  const { open, opposite, sweep, enter } = book;
  const gathers = () => market.state !== 'continuous';
  const dynamic = () => book.state().lastTicks || market.reference;

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
    const found = book.orders().find((o) => o.id === orderId && o.accountId === accountId);
    if (market.state === 'halt') return reject('SYMBOL_HALTED');
    if (market.state === 'closed') return reject('MARKET_CLOSED');
    const own = [
      ...book.orders(),
      ...book.stops().map(({ placed: { orderId: id, quantity: q } }) => ({ id, quantity: q })),
    ];
    const listed = book.lists.has(orderId) ? own.find(({ id }) => id === orderId) : undefined;
    // The quantity of an order of a list is the list's.
    const quantity = listed?.quantity ?? data.quantity;
    const asked = { ...data, quantity };
    const later = day.waiting().find((o) => o.id === orderId && o.accountId === accountId);
    if (rules && later) {
      const limit = data.limitTicks ?? later.price;
      const moved = limit !== later.price;
      const leavesBefore = later.quantity;
      if (data.limitTicks !== undefined && later.unpriced) return reject('ORDER_TYPE');
      if (!moved && quantity === leavesBefore) return reject('AMEND_NO_CHANGE');
      const wrong = wrongChange(rules, asked, later.side, limit, moved);
      if (wrong) return reject(wrong);
      day.change(later, { quantity, price: limit }, !moved && quantity < leavesBefore);
      const change = { order, amendment, side: later.side, priceTicks: later.price, quantity, leavesBefore };
      const limitTicks = moved ? { limitTicks: limit } : {};
      return [{ type: 'OrderReplaced.v1', data: { ...change, leaves: quantity, held: true, ...limitTicks } }];
    }
    const held = book
      .stops()
      .find(({ placed }) => placed.orderId === orderId && placed.accountId === accountId);
    if (rules && held) {
      const { side, type } = held.placed;
      const limit = data.limitTicks ?? held.placed.limitTicks;
      const moved = limit !== held.placed.limitTicks;
      const leavesBefore = held.placed.quantity;
      if (data.limitTicks !== undefined && type !== 'stop_limit') return reject('ORDER_TYPE');
      if (!moved && quantity === leavesBefore) return reject('AMEND_NO_CHANGE');
      const wrong = wrongChange(rules, asked, side, limit, moved);
      if (wrong) return reject(wrong);
      held.placed = { ...held.placed, bandExempt: data.bandExempt === true };
      book.changeStop(held, quantity, limit, !moved && quantity < leavesBefore);
      const change = {
        order,
        amendment,
        side,
        priceTicks: held.stop,
        quantity,
        leavesBefore,
        leaves: quantity,
      };
      const limitTicks = moved ? { limitTicks: limit } : {};
      return [{ type: 'OrderReplaced.v1', data: { ...change, held: true, ...limitTicks } }];
    }
    if (matchingRules > 1 && book.lists.asleep(orderId)?.placed.accountId === accountId)
      return reject('ORDER_LIST');
    if (!found || !rules) return reject('ORDER_NOT_OPEN');
    const { side, price: priceTicks } = found;
    const price = data.limitTicks ?? priceTicks;
    if (data.limitTicks !== undefined && found.unpriced) return reject('ORDER_TYPE');
    if (price === priceTicks && quantity === found.quantity) return reject('AMEND_NO_CHANGE');
    if (matchingRules === 1 && (price !== priceTicks || quantity > found.quantity)) {
      return reject('AMEND_NOT_A_REDUCTION');
    }
    const leavesBefore = open(found);
    const shownBefore = found.peak === null ? {} : { shownBefore: found.shown };
    const answer = (total: number, leaves: number): BookFact & { type: 'OrderReplaced.v1' } => ({
      type: 'OrderReplaced.v1',
      data: { order, amendment, side, priceTicks, quantity: total, leavesBefore, leaves, ...shownBefore },
    });
    if (quantity <= found.done) {
      book.drop(found);
      return [answer(found.done, 0)];
    }
    if (matchingRules > 1) {
      const moved = price !== priceTicks;
      const wrong = wrongChange(rules, asked, side, price, moved);
      if (wrong) return reject(wrong);
      if (found.peak !== null && quantity / found.peak > 100) return reject('ICEBERG_PEAKS');
      if (moved && found.postOnly && !gathers() && opposite(side, price).length > 0)
        return reject('WOULD_TAKE');
    }
    const keepsPlace = price === priceTicks && quantity < found.quantity;
    const replaced = answer(quantity, quantity - found.done);
    found.quantity = quantity;
    if (keepsPlace) {
      if (found.peak !== null) {
        found.shown = Math.min(found.shown, open(found));
        replaced.data.shown = found.shown;
      }
      return [replaced];
    }
    book.drop(found);
    const again = { ...found, price };
    const before = dynamic();
    again.exempt = data.bandExempt === true;
    book.rules.told += 1;
    const still = { facts: [], ended: false, outside: false, bounded: false };
    const { facts, ended, outside, bounded } = gathers() ? still : sweep(again, rules.tickCents, time);
    const restingQuantity = ended || bounded ? 0 : open(again);
    const shown = restingQuantity > 0 ? enter(again) : {};
    replaced.data.entry = { priceTicks: price, restingQuantity, entersAfter: facts.length, ...shown };
    if (bounded) {
      const { id, revision: placedAt } = found;
      const rest = { side, priceTicks: price, quantity: open(again), resting: false };
      const ref = { orderId: id, accountId, revision: placedAt };
      facts.push({ type: 'OrderExpired.v1', data: { order: ref, ...rest, reason: 'EXECUTION_BOUND' } });
      book.rules.told += 1;
    }
    book.endLater(orderId);
    const call = outside ? book.rules.interrupt() : [];
    return [replaced, ...facts, ...call, ...book.cascade(facts, before, time)];
  };
}
