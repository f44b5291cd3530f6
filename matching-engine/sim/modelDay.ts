import type {
  Auction,
  BookFact,
  EngineInput,
  MarketState,
  OrderRef,
  RefusalCode,
  TradingPhase,
} from '@brokerx/contracts';
import type { modelBook } from './modelBook.ts';
import { equilibriumOf, NO_CROSS } from './modelEquilibrium.ts';
import { reportEnds } from './modelInput.ts';
import type { Order } from './modelOrder.ts';
import { pairAt } from './modelPairs.ts';

export type ModelMarket = {
  state: MarketState;
  phase: TradingPhase;
  opened: boolean;
  reference: number;
  tickCents: number;
  hasTradingDay: boolean;
  bandPpm: number | null;
  bandsOff: boolean;
};

/** Why an order may not enter in this market state, by the table of `docs/orders.md`. Halted and closed are checked before. */
export function entryRefusal(
  { type, timeInForce, minQuantity }: Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'],
  state: MarketState,
): RefusalCode | null {
  const isImmediate = timeInForce === 'ioc' || timeInForce === 'fok';
  const isForAuction = timeInForce === 'opg' || timeInForce === 'cls';
  const isStop = type !== 'limit' && type !== 'market';
  if (isStop && (isImmediate || isForAuction)) return 'TIME_IN_FORCE';
  if (type === 'market' && timeInForce.startsWith('gt')) return 'TIME_IN_FORCE';
  if (timeInForce === 'opg' && !['pre_open', 'opening_auction'].includes(state)) return 'OPENING_OVER';
  return state !== 'continuous' && (isImmediate || minQuantity) ? 'NOT_IN_AUCTION' : null;
}

const NOTED: BookFact[] = [{ type: 'InputNoted.v1', data: {} }];

/** The model's trading day with its auctions, and the orders that wait for the closing call. */
export function modelDay(book: ReturnType<typeof modelBook>, market: ModelMarket) {
  let reported = NO_CROSS;
  let isExtended = false;
  let closingOrders: Order[] = [];
  const isCall = (): boolean => market.state.endsWith('auction');
  const refTo = (o: Order): OrderRef => ({ orderId: o.id, accountId: o.accountId, revision: o.revision });
  const changeState = (state: MarketState): BookFact => {
    market.state = state;
    return { type: 'MarketStateChanged.v1', data: { state } };
  };

  const beginCall = (auction: Auction): BookFact[] => {
    if (!isCall()) [reported, isExtended] = [NO_CROSS, false];
    const facts = [changeState(auction)];
    book.rules.outputCount += 1;
    if (auction !== 'closing_auction') return facts;
    return [...facts, ...enterClosingOrders()];
  };

  /** Enters the orders that wait for the closing call, as many as the input has room for. */
  const enterClosingOrders = (): BookFact[] => {
    const facts: BookFact[] = [];
    for (const order of closingOrders) {
      if (book.isFull()) break;
      closingOrders = closingOrders.filter((one) => one !== order);
      book.enter(order);
      book.rules.outputCount += 1;
      const data = {
        order: refTo(order),
        side: order.side,
        limitTicks: order.price,
        quantity: order.quantity,
      };
      facts.push({ type: 'OrderEntered.v1', data });
    }
    return facts;
  };
  const closingOrdersRemain = () => market.state === 'closing_auction' && closingOrders.length > 0;
  const hasDeferred = () => book.rules.deferredEnds.length > 0 || closingOrdersRemain();
  const marketTerms = () =>
    market.hasTradingDay ? { state: market.state, referenceTicks: market.reference } : {};
  /** Returns the outputs that earlier inputs had no room for, as many as this one has room for. */
  const reportDeferred = (): BookFact[] => {
    const ends = book.rules.deferredEnds;
    book.rules.deferredEnds = [];
    const facts = reportEnds(book.rules, ends);
    return closingOrdersRemain() ? [...facts, ...enterClosingOrders()] : facts;
  };

  /** The trade band around the last trade, `times` as wide as the symbol's rules say. */
  const band = (times: number): [low: number, high: number] => {
    const { bandPpm } = market;
    if (bandPpm === null || !market.hasTradingDay || market.bandsOff) return [0, Number.POSITIVE_INFINITY];
    const last = book.state().lastTicks || market.reference;
    const step = Math.max(times, Math.floor((last * bandPpm * times) / 1_000_000));
    return [Math.max(1, last - step), last + step];
  };
  const fixBand = () => {
    const [low, high] = band(1);
    book.rules.band = { low, high };
  };
  book.rules.isGathering = () => market.state !== 'continuous';
  book.rules.beginVolatilityAuction = () => {
    return beginCall('volatility_auction');
  };

  const uncross = (auction: Auction, time: string): BookFact[] => {
    const result = equilibriumOf(book.orders(), market.reference, book.effectiveQuantity);
    const facts: BookFact[] = [{ type: 'AuctionUncrossed.v1', data: { auction, ...result } }];
    if (result.priceTicks !== null) {
      facts.push(
        ...pairAt(book, {
          priceTicks: result.priceTicks,
          total: result.quantity,
          tickCents: market.tickCents,
          time,
        }),
      );
      market.reference = result.priceTicks;
    }
    const callOrders = book.orders().filter((o) => o.endsWithCall);
    return [
      ...facts,
      ...reportEnds(
        book.rules,
        callOrders.flatMap((o) => book.expire(o.id, 'AUCTION_ENDED')),
      ),
    ];
  };

  /** Expires due orders and then uncrosses. If there is no room for all of them, the call goes on, or one begins. */
  const uncrossAfterExpiry = (uncrossCall: () => BookFact[]): BookFact[] => {
    const ends = hasDeferred() ? [] : book.expireDue((endCount) => !book.isFull(endCount));
    book.rules.outputCount += ends.length;
    const isLate = hasDeferred() || book.openExpiries().some(([, end]) => end <= book.state().time);
    if (!isLate) return [...ends, ...uncrossCall()];
    return [...ends, ...beginCall(isCall() ? (market.state as Auction) : 'opening_auction')];
  };

  const openMarket = (time: string): BookFact[] => {
    const auction = market.state === 'volatility_auction' ? 'volatility_auction' : 'opening_auction';
    market.phase = 'continuous';
    market.opened = true;
    const before = book.state().lastTicks || market.reference;
    const facts = uncross(auction, time);
    fixBand();
    book.rules.outputCount += 1;
    return [...facts, changeState('continuous'), ...book.runTriggers(facts, before, time)];
  };

  const endDay = (): BookFact[] => {
    const ids = [
      ...book
        .orders()
        .filter((o) => o.day)
        .map((o) => o.id),
      ...book
        .stops()
        .filter(({ placed }) => placed.timeInForce === 'day')
        .map(({ placed }) => placed.orderId),
    ];
    const facts = ids.flatMap((id) => book.expire(id, 'DAY_ENDED'));
    for (const o of closingOrders) {
      const data = {
        order: refTo(o),
        side: o.side,
        priceTicks: o.price,
        quantity: o.quantity,
        resting: false,
      };
      facts.push({ type: 'OrderExpired.v1', data: { ...data, reason: 'DAY_ENDED' } });
    }
    closingOrders = [];
    for (const { legs, entry } of book.lists.all())
      if (entry?.dormant[0]?.timeInForce === 'day')
        for (const id of legs)
          facts.push(
            ...book.lists.expireDormant(
              id,
              entry.filled === 0 && market.hasTradingDay ? 'ENTRY_NOT_FILLED' : 'DAY_ENDED',
            ),
          );
    return reportEnds(book.rules, facts);
  };

  const closeMarket = (time: string): BookFact[] => {
    const auction = market.state === 'pre_open' ? 'opening_auction' : market.state;
    const facts = auction.endsWith('auction') ? uncross(auction as Auction, time) : [];
    if (facts.some(({ type }) => type === 'TradeExecuted.v1')) book.moveTrailingStops(book.state().lastTicks);
    market.phase = 'closed';
    return [...facts, ...endDay(), changeState('closed')];
  };

  function begin({ phase, at }: { phase: TradingPhase; at: string }, time: string): BookFact[] {
    const { state } = market;
    if (!market.hasTradingDay) return NOTED;
    book.advanceTime(at);
    const beginsDay = phase === 'pre_open' || phase === 'opening_auction';
    if (state === 'halt') {
      if (beginsDay || (phase === 'continuous' && market.phase === 'closed')) market.opened = false;
      market.phase = phase;
      const ended = phase === 'closed' ? endDay() : [];
      return ended.length > 0 ? ended : NOTED;
    }
    const from: Record<TradingPhase, MarketState[]> = {
      pre_open: ['closed'],
      opening_auction: ['closed', 'pre_open'],
      continuous: ['closed', 'pre_open', 'opening_auction', 'volatility_auction'],
      closing_auction: ['pre_open', 'opening_auction', 'continuous', 'volatility_auction'],
      closed: ['pre_open', 'opening_auction', 'continuous', 'volatility_auction', 'closing_auction'],
    };
    if (!from[phase].includes(state)) return NOTED;
    market.phase = phase;
    if (beginsDay) market.opened = false;
    if (phase === 'pre_open') return [changeState('pre_open')];
    if (phase === 'continuous') return uncrossAfterExpiry(() => openMarket(time));
    if (phase === 'closed')
      return state === 'continuous' ? closeMarket(time) : uncrossAfterExpiry(() => closeMarket(time));
    return beginCall(phase);
  }

  function resume(time: string): BookFact[] {
    if (market.state !== 'halt') return NOTED;
    if (!market.hasTradingDay) return [changeState('continuous')];
    if (market.phase === 'pre_open') return [changeState('pre_open')];
    if (market.phase === 'closed' || market.phase === 'closing_auction') return closeMarket(time);
    return beginCall(market.opened ? 'volatility_auction' : 'opening_auction');
  }

  return {
    fixBand,
    begin,
    resume,
    endDay,
    isCall,
    reportDeferred,
    /** Asks for the next `TimeReached` at once while outputs are deferred. */
    timeDueAgain({ type, time }: EngineInput): BookFact[] {
      if (type === 'TimeReached.v1' || !hasDeferred()) return [];
      const at = book.state().time || time;
      return [{ type: 'TimeApplied.v1', data: { at, nextExpiresAt: at, ...marketTerms() } }];
    },
    reach(at: string): BookFact[] {
      const facts = book.reach(at);
      const timeApplied = facts.at(-1);
      if (timeApplied?.type !== 'TimeApplied.v1') throw new Error('TimeApplied is the last output');
      const next = hasDeferred() ? timeApplied.data.at : null;
      const nextExpiresAt =
        [timeApplied.data.nextExpiresAt, next].filter((one) => one !== null).sort()[0] ?? null;
      return [
        ...facts.slice(0, -1),
        { type: 'TimeApplied.v1', data: { at: timeApplied.data.at, nextExpiresAt, ...marketTerms() } },
      ];
    },
    endCall({ at }: Extract<EngineInput, { type: 'AuctionCallEnded.v1' }>['data'], time: string): BookFact[] {
      if (!isCall()) return NOTED;
      book.advanceTime(at);
      return uncrossAfterExpiry(() => {
        const result = equilibriumOf(book.orders(), market.reference, book.effectiveQuantity);
        const [low, high] = band(2);
        const isFar = result.priceTicks !== null && (result.priceTicks < low || result.priceTicks > high);
        const closes = market.state === 'closing_auction' || market.phase === 'closed';
        if (market.state === 'volatility_auction' && isFar && !isExtended && !closes) {
          isExtended = true;
          return [{ type: 'AuctionExtended.v1', data: result }];
        }
        return closes ? closeMarket(time) : openMarket(time);
      });
    },
    /** The call's indicative result, if it differs from the last one reported. */
    indicative(): BookFact[] {
      if (!isCall()) return [];
      const result = equilibriumOf(book.orders(), market.reference, book.effectiveQuantity);
      if (JSON.stringify(result) === JSON.stringify(reported)) return [];
      reported = result;
      return [{ type: 'IndicativePriceChanged.v1', data: result }];
    },
    closingOrders: () => closingOrders,
    addClosingOrder(order: Order) {
      closingOrders.push(order);
    },
    changeClosingOrder(order: Order, change: { quantity: number; price: number }, keepsPlace: boolean) {
      const changed = { ...order, ...change };
      const others = closingOrders.filter((o) => o !== order);
      closingOrders = keepsPlace
        ? closingOrders.map((o) => (o === order ? changed : o))
        : [...others, changed];
    },
    dropClosingOrder(order: Order) {
      closingOrders = closingOrders.filter((o) => o !== order);
    },
    state: () => ({
      state: market.state,
      phase: market.phase,
      opened: market.opened,
      call: isCall() ? { indicative: reported, extended: isExtended } : null,
    }),
  };
}
