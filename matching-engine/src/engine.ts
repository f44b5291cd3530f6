import assert from 'node:assert/strict';
import type { BookFact, EngineInput, EventOf, MarketState, OrderRef, SymbolRules } from '@brokerx/contracts';
import { type Book, emptyBook, fill, fillable, matchable, reduce, remove, rest } from './book.ts';
import { type Collar, collarAround } from './collar.ts';

/**
 * The matching engine of one symbol: a pure state machine. No clock, no randomness, no I/O: the same inputs in the
 * same order give the same outputs, for ever. Every input gives at least one output.
 *
 * States: not listed (`listing` is null; every order is rejected) → continuous ⇄ halt.
 */
export type Engine = {
  readonly symbol: string;
  readonly book: Book;
  listing: Listing | null;
  state: MarketState;
  /** Bands are switched off by an operator. */
  bandsOff: boolean;
  /** Trades so far: the last trade's number. */
  trades: number;
  /** Time of the last trade; empty before the first. No later output carries an earlier time. */
  lastTradeTime: string;
};

export type Listing = {
  readonly rules: SymbolRules;
  /** Version of the matching rules, adopted with the listing. */
  readonly matchingRules: number;
  /** The static reference: the last close, or else the listing price. */
  referenceTicks: number;
  collar: Collar;
};

/** An input at its place: `revision` is that of its own stream. */
export type PlacedInput<E extends EngineInput = EngineInput> = {
  readonly event: E;
  readonly revision: number;
};

/** The matching rules that this engine can run. A published version is never changed: a new one is added. */
export const KNOWN_MATCHING_RULES: readonly number[] = [1];

export class UnknownMatchingRules extends Error {
  override name = 'UnknownMatchingRules';
}

export const newEngine = (symbol: string): Engine => ({
  symbol,
  book: emptyBook(),
  listing: null,
  state: 'continuous',
  bandsOff: false,
  trades: 0,
  lastTradeTime: '',
});

/** Applies one input and says what came of it. Throws only on bugs; the engine must not be used after that. */
export function apply(engine: Engine, input: PlacedInput): BookFact[] {
  const { event, revision } = input;
  switch (event.type) {
    case 'OrderPlaced.v1':
      return place(engine, event, revision);
    case 'OrderCancelRequested.v1':
      return [cancel(engine, event, revision)];
    case 'OrderAmendRequested.v1':
      return [amend(engine, event, revision)];
    case 'SymbolListed.v1':
      return list(engine, event);
    case 'SymbolExemptionsChanged.v1':
      engine.bandsOff = event.data.bandsOff;
      return [NOTED];
    case 'TradingHalted.v1':
      return changeState(engine, 'halt');
    case 'TradingResumed.v1':
      return changeState(engine, 'continuous');
    case 'DayEnded.v1':
      return endDay(engine, event);
    default:
      throw new Error('unknown input', { cause: event satisfies never });
  }
}

/** The time that the outputs of an input carry, once it has been applied: never before the last trade. */
export const outputTime = (engine: Engine, input: EngineInput): string =>
  input.time < engine.lastTradeTime ? engine.lastTradeTime : input.time;

const NOTED: BookFact = { type: 'InputNoted.v1', data: {} };

type Placed = EventOf<'OrderPlaced.v1'>;
type Taker = Placed['data'];

function place(engine: Engine, event: Placed, revision: number): BookFact[] {
  const taker = event.data;
  assert(taker.symbol === engine.symbol, `an order for ${taker.symbol} in the book of ${engine.symbol}`);
  assert(!engine.book.orders.has(taker.orderId), `order ${taker.orderId} was placed twice`);
  const order: OrderRef = { orderId: taker.orderId, accountId: taker.accountId, revision };
  const code = refusal(engine, taker);
  if (code) return [{ type: 'OrderRejected.v1', data: { order, code } }];

  const { side, type, timeInForce, quantity, limitTicks } = taker;
  const accepted = { order, side, type, timeInForce, quantity, limitTicks, restingQuantity: 0 };
  const outputs: BookFact[] = [{ type: 'OrderAccepted.v1', data: accepted }];
  const allOrNothing = timeInForce === 'fok';
  const leaves =
    allOrNothing && !fillable(engine.book, side, limitTicks, quantity)
      ? quantity
      : match(engine, event, revision, outputs);
  if (leaves === 0) return outputs;

  if (type === 'limit' && (timeInForce === 'day' || timeInForce === 'gtc')) {
    accepted.restingQuantity = leaves;
    rest(engine.book, {
      id: taker.orderId,
      accountId: taker.accountId,
      revision,
      side,
      priceTicks: limitTicks,
      endsWithDay: timeInForce === 'day',
      quantity,
      leaves,
    });
    return outputs;
  }
  const reason = allOrNothing
    ? 'UNFILLED_FOK_ORDER_EXPIRED'
    : type === 'market'
      ? 'INSUFFICIENT_LIQUIDITY'
      : 'UNFILLED_IOC_QUANTITY_EXPIRED';
  outputs.push({
    type: 'OrderExpired.v1',
    data: { order, side, priceTicks: limitTicks, quantity: leaves, resting: false, reason },
  });
  return outputs;
}

/** The engine's own, binding checks, in order of precedence. Those of command-api may be a moment old. */
function refusal({ listing, state, bandsOff }: Engine, order: Taker) {
  if (!listing) return 'UNKNOWN_SYMBOL';
  const { rules, collar } = listing;
  const { quantity, limitTicks, tickCents, type, bandExempt } = order;
  if (state === 'halt') return 'SYMBOL_HALTED';
  if (quantity < 1 || quantity > rules.orderSharesMax) return 'ORDER_SIZE';
  if (limitTicks < 1 || tickCents !== rules.tickCents) return 'PRICE_TICK';
  // A market order's protection price is no limit of the client's: it was made from the reference of then.
  const banded = type === 'limit' && !bandExempt && !bandsOff;
  if (banded && (limitTicks < collar.lowTicks || limitTicks > collar.highTicks)) return 'PRICE_BAND';
  return undefined;
}

/** Trades at the makers' prices, best price and then oldest order first; returns what the taker has left. */
function match(engine: Engine, event: Placed, revision: number, outputs: BookFact[]): number {
  const { book } = engine;
  const { orderId, accountId, side, limitTicks, tickCents, quantity } = event.data;
  let leaves = quantity;
  while (leaves > 0) {
    const maker = matchable(book, side, limitTicks)?.first;
    if (!maker) break;
    const traded = Math.min(leaves, maker.leaves);
    const priceTicks = maker.priceTicks;
    fill(book, maker, traded);
    leaves -= traded;
    engine.trades += 1;
    outputs.push({
      type: 'TradeExecuted.v1',
      data: {
        trade: engine.trades,
        priceTicks,
        tickCents,
        quantity: traded,
        takerSide: side,
        maker: {
          orderId: maker.id,
          accountId: maker.accountId,
          revision: maker.revision,
          leaves: maker.leaves,
        },
        taker: { orderId, accountId, revision, leaves },
      },
    });
  }
  if (leaves < quantity) engine.lastTradeTime = outputTime(engine, event);
  return leaves;
}

function cancel({ book }: Engine, event: EventOf<'OrderCancelRequested.v1'>, revision: number): BookFact {
  const { orderId, accountId } = event.data;
  const order: OrderRef = { orderId, accountId, revision };
  const resting = book.orders.get(orderId);
  if (resting?.accountId !== accountId) {
    return { type: 'OrderCancelRejected.v1', data: { order, code: 'ORDER_NOT_OPEN' } };
  }
  remove(book, resting);
  const { side, priceTicks, leaves } = resting;
  return { type: 'OrderCanceled.v1', data: { order, side, priceTicks, quantity: leaves } };
}

function amend(engine: Engine, event: EventOf<'OrderAmendRequested.v1'>, revision: number): BookFact {
  const { book } = engine;
  const { orderId, accountId, amendment, quantity } = event.data;
  const order: OrderRef = { orderId, accountId, revision };
  const rejected = (
    code: Extract<BookFact, { type: 'OrderReplaceRejected.v1' }>['data']['code'],
  ): BookFact => ({
    type: 'OrderReplaceRejected.v1',
    data: { order, amendment, code },
  });
  const resting = book.orders.get(orderId);
  if (engine.state === 'halt') return rejected('SYMBOL_HALTED');
  if (resting?.accountId !== accountId) return rejected('ORDER_NOT_OPEN');
  if (quantity === resting.quantity) return rejected('AMEND_NO_CHANGE');
  if (quantity > resting.quantity) return rejected('AMEND_NOT_A_REDUCTION');

  const { side, priceTicks, leaves: leavesBefore } = resting;
  const filled = resting.quantity - leavesBefore;
  const replaced = (total: number, leaves: number): BookFact => ({
    type: 'OrderReplaced.v1',
    data: { order, amendment, side, priceTicks, quantity: total, leavesBefore, leaves },
  });
  if (quantity <= filled) {
    remove(book, resting);
    return replaced(filled, 0);
  }
  reduce(resting, quantity);
  return replaced(quantity, resting.leaves);
}

function list(engine: Engine, event: EventOf<'SymbolListed.v1'>): BookFact[] {
  const { symbol, rules, matchingRules } = event.data;
  assert(symbol === engine.symbol && !engine.listing, `${symbol} is listed twice`);
  engine.listing = listing({ rules, matchingRules, referenceTicks: rules.listingTicks });
  engine.state = 'continuous';
  return [{ type: 'MarketStateChanged.v1', data: { state: 'continuous' } }];
}

/** What a symbol is, with its collar. Refuses matching rules that this engine does not know. */
export function listing({ rules, matchingRules, referenceTicks }: Omit<Listing, 'collar'>): Listing {
  if (!KNOWN_MATCHING_RULES.includes(matchingRules)) {
    throw new UnknownMatchingRules(
      `matching rules ${matchingRules} are asked for; this engine knows ${KNOWN_MATCHING_RULES.join(', ')}`,
    );
  }
  return { rules, matchingRules, referenceTicks, collar: collarAround(referenceTicks, rules.collarPpm) };
}

function changeState(engine: Engine, state: MarketState): BookFact[] {
  if (!engine.listing || engine.state === state) return [NOTED];
  engine.state = state;
  return [{ type: 'MarketStateChanged.v1', data: { state } }];
}

/** DAY orders expire, the oldest first, and the close becomes the static reference. */
function endDay(engine: Engine, event: EventOf<'DayEnded.v1'>): BookFact[] {
  const outputs: BookFact[] = [];
  for (const resting of engine.book.orders.values()) {
    if (!resting.endsWithDay) continue;
    const { id: orderId, accountId, revision, side, priceTicks, leaves: quantity } = resting;
    const order = { orderId, accountId, revision };
    // Taking an entry out of a Map while it is walked is defined: the walk goes on with the next one.
    remove(engine.book, resting);
    outputs.push({
      type: 'OrderExpired.v1',
      data: { order, side, priceTicks, quantity, resting: true, reason: 'DAY_ENDED' },
    });
  }
  if (engine.listing) {
    engine.listing = listing({ ...engine.listing, referenceTicks: event.data.closeTicks });
  }
  return outputs.length > 0 ? outputs : [NOTED];
}
