import assert from 'node:assert/strict';
import {
  type BookEvent,
  type EventOf,
  isAuction,
  type MarketEvent,
  type MarketState,
  type SymbolRules,
  type TradingPhase,
  type TradingSession,
  timeOf,
} from '@brokerx/contracts';
import { emptyKeyLog, type KeyLog, keep, keyLogFrom, keyLogText, shortHash } from '../idempotencyKeys.ts';
import { type Clock, marketMs, phaseAt, REAL_TIME } from './calendar.ts';

/**
 * The state of a symbol's market. `market-<symbol>` gives its rules, halts and static reference price; the book's events
 * give its present state and last trade. Decisions about orders use it; the engine's own checks bind.
 */
export type Market = {
  symbol: string;
  name: string;
  rules: SymbolRules;
  /** Version of the matching rules that the symbol's engine applies. */
  matchingRules: number;
  /** The state according to the book's events; a halt takes effect here at once. */
  state: MarketState;
  /** An operator has halted the symbol and not resumed it. */
  halted: boolean;
  /** The symbol was halted together with the whole market. */
  marketWide: boolean;
  /** The symbol's trading day; null: it trades around the clock. */
  session: TradingSession | null;
  clock: Clock;
  /** Id of the time event that the engine has not answered: nothing else is due until it has. */
  awaiting: string | null;
  /** The phase of the day that began last, and when it was due. */
  phase: TradingPhase;
  phaseAt: string;
  /** Begin of the running auction call; null: no call runs, or its end is on its way. */
  callSince: string | null;
  /** The static reference: the last auction price of the day, else the previous close, else the listing price. */
  referenceTicks: number;
  bandsOff: boolean;
  quotasOff: boolean;
  /** Event time of the listing, milliseconds since the Unix epoch. */
  listedAtMs: number;
  /** The last trading day that ended, `YYYY-MM-DD`; empty before the first. */
  lastDay: string;
  /** Price of the last trade since the last day's end; null before the first. */
  lastTradeTicks: number | null;
  /**
   * The next moment at which an open order ends, as the book tells it: null for none, `unknown` where it was not told
   * since the state was built; both until a `TimeReached` is answered.
   */
  nextExpiresAt: string | null;
  /** Revision of the last event of `market-<symbol>` in this state. */
  revision: number;
  keys: KeyLog;
};

/** The market after an event of its stream; undefined: the symbol is not listed. */
export function evolveMarket(market: Market | undefined, event: MarketEvent, revision: number): Market {
  const next = change(market, event, revision);
  if (event.key) {
    const kept = {
      hash: shortHash(event.key.hash),
      revision,
      timeMs: Date.parse(event.time),
      clientOrderId: null,
    };
    keep(next.keys, event.key.id, kept, () => undefined);
  }
  return next;
}

function change(market: Market | undefined, event: MarketEvent, revision: number): Market {
  if (event.type === 'SymbolListed.v1') {
    assert(!market, 'a symbol is listed once');
    const { symbol, name, rules, matchingRules } = event.data;
    return {
      symbol,
      name,
      rules,
      matchingRules,
      state: 'continuous',
      halted: false,
      marketWide: false,
      session: null,
      clock: REAL_TIME,
      awaiting: null,
      phase: 'continuous',
      phaseAt: event.time,
      callSince: null,
      referenceTicks: rules.listingTicks,
      bandsOff: false,
      quotasOff: false,
      listedAtMs: Date.parse(event.time),
      lastDay: '',
      lastTradeTicks: null,
      nextExpiresAt: null,
      revision,
      keys: emptyKeyLog(),
    };
  }
  assert(market && revision === market.revision + 1, `${event.type} at ${revision} does not follow`);
  switch (event.type) {
    case 'MatchingRulesAdopted.v1':
      return { ...market, revision, matchingRules: event.data.matchingRules };
    case 'SymbolExemptionsChanged.v1':
      return { ...market, revision, bandsOff: event.data.bandsOff, quotasOff: event.data.quotasOff };
    case 'TradingHalted.v1':
      return {
        ...market,
        revision,
        state: 'halt',
        halted: true,
        marketWide: event.data.marketWide ?? false,
        callSince: null,
      };
    case 'TradingResumed.v1': {
      // From version 3 of the matching rules on, the engine decides the state after a halt.
      const state = market.matchingRules < 3 ? 'continuous' : market.state;
      return { ...market, revision, state, halted: false, marketWide: false };
    }
    case 'TradingPhaseBegan.v1':
      return { ...market, revision, phase: event.data.phase, phaseAt: event.data.at, awaiting: event.id };
    case 'TradingCalendarSet.v1':
      return { ...market, revision, ...calendarFrom(market, event) };
    case 'AuctionCallEnded.v1':
      return { ...market, revision, callSince: null, awaiting: event.id };
    case 'TimeReached.v1': {
      const { nextExpiresAt } = market;
      const isDue = nextExpiresAt === UNKNOWN || (nextExpiresAt !== null && nextExpiresAt <= event.data.at);
      return { ...market, revision, nextExpiresAt: isDue ? null : nextExpiresAt, awaiting: event.id };
    }
    case 'DayEnded.v1':
      return {
        ...market,
        revision,
        referenceTicks: event.data.closeTicks,
        lastDay: event.data.day,
        lastTradeTicks: null,
      };
    default:
      throw new Error('not an event of a market', { cause: event satisfies never });
  }
}

export const UNKNOWN = 'unknown';

/** Applies a book's event to the market, in place: its state, its prices, and when the next order ends. */
export function followBook(market: Market, event: BookEvent): void {
  if (event.causationId === market.awaiting) market.awaiting = null;
  switch (event.type) {
    case 'TradeExecuted.v1':
      market.lastTradeTicks = event.data.priceTicks;
      return;
    case 'OrderAccepted.v1': {
      const { expiresAt } = event.data;
      const { nextExpiresAt: next } = market;
      if (expiresAt !== undefined && (next === null || expiresAt < next)) market.nextExpiresAt = expiresAt;
      return;
    }
    case 'MarketStateChanged.v1':
      changeState(market, event.data.state, event.time);
      return;
    case 'AuctionExtended.v1':
      market.callSince = timeOf(marketMs(market, Date.parse(event.time)));
      return;
    case 'AuctionUncrossed.v1':
      market.referenceTicks = event.data.priceTicks ?? market.referenceTicks;
      return;
    case 'TimeApplied.v1': {
      const { nextExpiresAt, state, referenceTicks } = event.data;
      market.nextExpiresAt = nextExpiresAt;
      market.referenceTicks = referenceTicks ?? market.referenceTicks;
      if (state !== undefined && state !== market.state) changeState(market, state, event.time);
      return;
    }
  }
}

/** The phase that it is time for is due at once. */
function calendarFrom(market: Market, { data, time }: EventOf<'TradingCalendarSet.v1'>) {
  const { session, clock } = data;
  const atMs = Date.parse(clock.at);
  const phase = session ? phaseAt(session, atMs) : { atMs: atMs + 1 };
  return {
    session,
    clock: { realMs: Date.parse(time), marketMs: atMs, factor: clock.factor },
    phaseAt: timeOf(phase.atMs - 1),
  };
}

/** A call of the calendar counts from when it was due, so that an overdue one is not drawn out. */
function changeState(market: Market, state: MarketState, time: string): void {
  market.state = state;
  market.callSince = isAuction(state)
    ? state === market.phase
      ? market.phaseAt
      : timeOf(marketMs(market, Date.parse(time)))
    : null;
}

/**
 * What the market is known to do; null between a word of an operator or of time and the engine's answer to it, and where
 * the book was not followed yet.
 */
export function knownState({ state, halted, awaiting, nextExpiresAt }: Market): MarketState | null {
  if (halted) return 'halt';
  const isTold = state !== 'halt' && awaiting === null && nextExpiresAt !== UNKNOWN;
  return isTold ? state : null;
}

export const MARKETS_SNAPSHOT_VERSION = 8;

export const marketsText = (markets: Iterable<Market>): string =>
  JSON.stringify([...markets].map((market) => ({ ...market, keys: keyLogText(market.keys) })));

export function marketsFrom(text: string): Market[] {
  const stored = JSON.parse(text) as (Omit<Market, 'keys'> & { keys: ReturnType<typeof keyLogText> })[];
  return stored.map((market) => ({ ...market, keys: keyLogFrom(market.keys) }));
}
