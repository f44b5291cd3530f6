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
import { tellEnds } from './modelInput.ts';
import type { Order } from './modelOrder.ts';
import { pairAt } from './modelPairs.ts';

/** The trading day and its auctions once more, every price tried by adding up all orders. */
type Result = Extract<BookFact, { type: 'IndicativePriceChanged.v1' }>['data'];

export type ModelMarket = {
  state: MarketState;
  phase: TradingPhase;
  opened: boolean;
  reference: number;
  tickCents: number;
  days: boolean;
  bandPpm: number | null;
  bandsOff: boolean;
};

export function priceOf(
  orders: readonly Order[],
  reference: number,
  wanted = (o: Order) => o.quantity - o.done,
): Result {
  const shares = new Map(orders.map((o) => [o, wanted(o)]));
  const open = (o: Order) => shares.get(o) ?? 0;
  const sum = (some: readonly Order[]) => some.reduce((total, o) => total + open(o), 0);
  const buys = orders.filter(({ side }) => side === 'buy');
  const sells = orders.filter(({ side }) => side === 'sell');
  const [low, high] = [Math.min(...sells.map((o) => o.price)), Math.max(...buys.map((o) => o.price))];
  if (low > high || buys.length === 0 || sells.length === 0)
    return { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };
  const clamped = [low, reference, high].sort((a, b) => a - b)[1] as number;
  const tried = [...new Set([clamped, ...orders.map((o) => o.price)])]
    .filter((price) => price >= low && price <= high)
    .map((price) => {
      const demand = sum(buys.filter((o) => o.price >= price));
      const supply = sum(sells.filter((o) => o.price <= price));
      return { price, quantity: Math.min(demand, supply), over: demand - supply };
    })
    .sort((a, b) => b.quantity - a.quantity || Math.abs(a.over) - Math.abs(b.over) || a.price - b.price);
  const [first] = tried;
  if (!first) throw new Error('prices overlap, so there is one');
  const equal = tried.filter(
    (one) => one.quantity === first.quantity && Math.abs(one.over) === Math.abs(first.over),
  );
  const near = equal.toSorted((a, b) => Math.abs(a.price - reference) - Math.abs(b.price - reference));
  /** Whether all who would get something of a side have no limit of their own. */
  const unlimited = (side: readonly Order[]) => {
    let left = first.quantity;
    return side
      .toSorted((a, b) => (a.side === 'buy' ? b.price - a.price : a.price - b.price) || a.arrival - b.arrival)
      .every((o) => {
        const gets = Math.min(left, open(o));
        left -= gets;
        return gets === 0 || o.unpriced;
      });
  };
  const asMuch = tried.filter(({ quantity }) => quantity === first.quantity);
  const onlyMarket = unlimited(buys) && unlimited(sells);
  const drawn = asMuch.toSorted((a, b) => Math.abs(a.price - reference) - Math.abs(b.price - reference));
  const allBuy = equal.every(({ over }) => over > 0);
  const allSell = equal.every(({ over }) => over < 0);
  const limited = (allBuy ? equal.at(-1) : allSell ? equal[0] : near[0]) ?? first;
  const chosen = (onlyMarket ? drawn[0] : limited) ?? first;
  const surplusSide = chosen.over > 0 ? 'buy' : chosen.over < 0 ? 'sell' : null;
  return {
    priceTicks: chosen.price,
    quantity: chosen.quantity,
    surplus: Math.abs(chosen.over),
    surplusSide,
  };
}

/** The table of `docs/orders.md`; the market is not halted or closed. */
export function notTaken(
  { type, timeInForce, minQuantity }: Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'],
  state: MarketState,
): RefusalCode | null {
  const atOnce = timeInForce === 'ioc' || timeInForce === 'fok';
  const forAuction = timeInForce === 'opg' || timeInForce === 'cls';
  const stops = type !== 'limit' && type !== 'market';
  if (stops && (atOnce || forAuction)) return 'TIME_IN_FORCE';
  if (type === 'market' && timeInForce.startsWith('gt')) return 'TIME_IN_FORCE';
  if (timeInForce === 'opg' && !['pre_open', 'opening_auction'].includes(state)) return 'OPENING_OVER';
  return state !== 'continuous' && (atOnce || minQuantity) ? 'NOT_IN_AUCTION' : null;
}

const NOTHING: Result = { priceTicks: null, quantity: 0, surplus: 0, surplusSide: null };
const NOTED: BookFact[] = [{ type: 'InputNoted.v1', data: {} }];

export function modelDay(book: ReturnType<typeof modelBook>, market: ModelMarket) {
  let told = NOTHING;
  let extended = false;
  let waiting: Order[] = [];
  const calls = (): boolean => market.state.endsWith('auction');
  const refTo = (o: Order): OrderRef => ({ orderId: o.id, accountId: o.accountId, revision: o.revision });
  const become = (state: MarketState): BookFact => {
    market.state = state;
    return { type: 'MarketStateChanged.v1', data: { state } };
  };

  const call = (auction: Auction): BookFact[] => {
    if (!calls()) [told, extended] = [NOTHING, false];
    const facts = [become(auction)];
    book.rules.told += 1;
    if (auction !== 'closing_auction') return facts;
    return [...facts, ...letIn()];
  };

  /** Those for the closing call come in, as many as there is room for. */
  const letIn = (): BookFact[] => {
    const facts: BookFact[] = [];
    for (const o of waiting) {
      if (book.isFull()) break;
      waiting = waiting.filter((one) => one !== o);
      book.enter(o);
      book.rules.told += 1;
      const data = { order: refTo(o), side: o.side, limitTicks: o.price, quantity: o.quantity };
      facts.push({ type: 'OrderEntered.v1', data });
    }
    return facts;
  };
  const letsIn = () => market.state === 'closing_auction' && waiting.length > 0;
  const isBehind = () => book.rules.left.length > 0 || letsIn();
  const now = () => (market.days ? { state: market.state, referenceTicks: market.reference } : {});
  /** What inputs before had no room for. */
  const catchUp = (): BookFact[] => {
    const ends = book.rules.left;
    book.rules.left = [];
    const facts = tellEnds(book.rules, ends);
    return letsIn() ? [...facts, ...letIn()] : facts;
  };

  /** Around the last trade, so many times as wide as the symbol's rules say. */
  const band = (times: number): [low: number, high: number] => {
    const { bandPpm } = market;
    if (bandPpm === null || !market.days || market.bandsOff) return [0, Number.POSITIVE_INFINITY];
    const last = book.state().lastTicks || market.reference;
    const step = Math.max(times, Math.floor((last * bandPpm * times) / 1_000_000));
    return [Math.max(1, last - step), last + step];
  };
  const freeze = () => {
    const [low, high] = band(1);
    book.rules.band = { low, high };
  };
  book.rules.gathers = () => market.state !== 'continuous';
  book.rules.interrupt = () => {
    return call('volatility_auction');
  };

  const uncross = (auction: Auction, time: string): BookFact[] => {
    const result = priceOf(book.orders(), market.reference, book.effective);
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
    const meant = book.orders().filter((o) => o.endsWithCall);
    return [
      ...facts,
      ...tellEnds(
        book.rules,
        meant.flatMap((o) => book.expire(o.id, 'AUCTION_ENDED')),
      ),
    ];
  };

  /** All that has ended by now is told, so that it is in no uncross; otherwise the call runs on, or begins. */
  const before = (uncrossed: () => BookFact[]): BookFact[] => {
    const over = isBehind() ? [] : book.endDue((told) => !book.isFull(told));
    book.rules.told += over.length;
    const isLate = isBehind() || book.stillOpen().some(([, end]) => end <= book.state().time);
    if (!isLate) return [...over, ...uncrossed()];
    return [...over, ...call(calls() ? (market.state as Auction) : 'opening_auction')];
  };

  const trade = (time: string): BookFact[] => {
    const auction = market.state === 'volatility_auction' ? 'volatility_auction' : 'opening_auction';
    market.phase = 'continuous';
    market.opened = true;
    const before = book.state().lastTicks || market.reference;
    const facts = uncross(auction, time);
    freeze();
    book.rules.told += 1;
    return [...facts, become('continuous'), ...book.cascade(facts, before, time)];
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
    for (const o of waiting) {
      const data = {
        order: refTo(o),
        side: o.side,
        priceTicks: o.price,
        quantity: o.quantity,
        resting: false,
      };
      facts.push({ type: 'OrderExpired.v1', data: { ...data, reason: 'DAY_ENDED' } });
    }
    waiting = [];
    for (const { legs, entry } of book.lists.all())
      if (entry?.dormant[0]?.timeInForce === 'day')
        for (const id of legs)
          facts.push(
            ...book.lists.expireAsleep(
              id,
              entry.filled === 0 && market.days ? 'ENTRY_NOT_FILLED' : 'DAY_ENDED',
            ),
          );
    return tellEnds(book.rules, facts);
  };

  const close = (time: string): BookFact[] => {
    const auction = market.state === 'pre_open' ? 'opening_auction' : market.state;
    const facts = auction.endsWith('auction') ? uncross(auction as Auction, time) : [];
    if (facts.some(({ type }) => type === 'TradeExecuted.v1')) book.hear(book.state().lastTicks);
    market.phase = 'closed';
    return [...facts, ...endDay(), become('closed')];
  };

  function begin({ phase, at }: { phase: TradingPhase; at: string }, time: string): BookFact[] {
    const { state } = market;
    if (!market.days) return NOTED;
    book.later(at);
    const fresh = phase === 'pre_open' || phase === 'opening_auction';
    if (state === 'halt') {
      if (fresh || (phase === 'continuous' && market.phase === 'closed')) market.opened = false;
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
    if (fresh) market.opened = false;
    if (phase === 'pre_open') return [become('pre_open')];
    if (phase === 'continuous') return before(() => trade(time));
    if (phase === 'closed') return state === 'continuous' ? close(time) : before(() => close(time));
    return call(phase);
  }

  function resume(time: string): BookFact[] {
    if (market.state !== 'halt') return NOTED;
    if (!market.days) return [become('continuous')];
    if (market.phase === 'pre_open') return [become('pre_open')];
    if (market.phase === 'closed' || market.phase === 'closing_auction') return close(time);
    return call(market.opened ? 'volatility_auction' : 'opening_auction');
  }

  return {
    freeze,
    begin,
    resume,
    endDay,
    calls,
    catchUp,
    /** While something is not told, the time is due again. */
    askAgain({ type, time }: EngineInput): BookFact[] {
      if (type === 'TimeReached.v1' || !isBehind()) return [];
      const at = book.state().time || time;
      return [{ type: 'TimeApplied.v1', data: { at, nextExpiresAt: at, ...now() } }];
    },
    reach(at: string): BookFact[] {
      const facts = book.reach(at);
      const told = facts.at(-1);
      if (told?.type !== 'TimeApplied.v1') throw new Error('the time is told last');
      const next = isBehind() ? told.data.at : null;
      const nextExpiresAt = [told.data.nextExpiresAt, next].filter((one) => one !== null).sort()[0] ?? null;
      return [
        ...facts.slice(0, -1),
        { type: 'TimeApplied.v1', data: { at: told.data.at, nextExpiresAt, ...now() } },
      ];
    },
    endCall({ at }: Extract<EngineInput, { type: 'AuctionCallEnded.v1' }>['data'], time: string): BookFact[] {
      if (!calls()) return NOTED;
      book.later(at);
      return before(() => {
        const result = priceOf(book.orders(), market.reference, book.effective);
        const [low, high] = band(2);
        const far = result.priceTicks !== null && (result.priceTicks < low || result.priceTicks > high);
        const closes = market.state === 'closing_auction' || market.phase === 'closed';
        if (market.state === 'volatility_auction' && far && !extended && !closes) {
          extended = true;
          return [{ type: 'AuctionExtended.v1', data: result }];
        }
        return closes ? close(time) : trade(time);
      });
    },
    /** What the call would bring, where that is another thing than was told last. */
    indicative(): BookFact[] {
      if (!calls()) return [];
      const now = priceOf(book.orders(), market.reference, book.effective);
      if (JSON.stringify(now) === JSON.stringify(told)) return [];
      told = now;
      return [{ type: 'IndicativePriceChanged.v1', data: now }];
    },
    waiting: () => waiting,
    wait(order: Order) {
      waiting.push(order);
    },
    change(order: Order, change: { quantity: number; price: number }, keepsPlace: boolean) {
      const changed = { ...order, ...change };
      const others = waiting.filter((o) => o !== order);
      waiting = keepsPlace ? waiting.map((o) => (o === order ? changed : o)) : [...others, changed];
    },
    drop(order: Order) {
      waiting = waiting.filter((o) => o !== order);
    },
    state: () => ({
      state: market.state,
      phase: market.phase,
      opened: market.opened,
      call: calls() ? { indicative: told, extended } : null,
    }),
  };
}
