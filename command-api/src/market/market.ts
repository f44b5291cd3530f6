import assert from 'node:assert/strict';
import type { BookEvent, MarketEvent, MarketState, SymbolRules } from '@brokerx/contracts';
import { emptyKeyLog, type KeyLog, keep, keyLogFrom, keyLogText } from '../account/keys.ts';

/**
 * The state of `market-<symbol>`: the symbol's rules, whether it trades, and its static reference price; beside it
 * the last trade, which the book tells. An order's command is decided with it; the engine's own checks bind.
 */
export type Market = {
  symbol: string;
  name: string;
  rules: SymbolRules;
  /** Version of the matching rules that its engine applies. */
  matchingRules: number;
  state: MarketState;
  /** The static reference: the previous close, else the listing price. */
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

/** The market after an event of its stream; undefined is a symbol that is not listed. */
export function evolveMarket(market: Market | undefined, event: MarketEvent, revision: number): Market {
  const next = change(market, event, revision);
  if (event.key) {
    const kept = { hash: event.key.hash, revision, timeMs: Date.parse(event.time), clientOrderId: null };
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
      return { ...market, revision, state: 'halt' };
    case 'TradingResumed.v1':
      return { ...market, revision, state: 'continuous' };
    case 'TimeReached.v1': {
      const { nextExpiresAt } = market;
      const asked = nextExpiresAt === UNKNOWN || (nextExpiresAt !== null && nextExpiresAt <= event.data.at);
      return { ...market, revision, nextExpiresAt: asked ? null : nextExpiresAt };
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

/** What the book tells besides: the last trade, and when the next order ends. In place. */
export function followBook(market: Market, event: BookEvent): void {
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
    case 'TimeApplied.v1':
      market.nextExpiresAt = event.data.nextExpiresAt;
      return;
  }
}

export const MARKETS_SNAPSHOT_VERSION = 3;

export const marketsText = (markets: Iterable<Market>): string =>
  JSON.stringify([...markets].map((market) => ({ ...market, keys: keyLogText(market.keys) })));

export function marketsFrom(text: string): Market[] {
  const stored = JSON.parse(text) as (Omit<Market, 'keys'> & { keys: ReturnType<typeof keyLogText> })[];
  return stored.map((market) => ({ ...market, keys: keyLogFrom(market.keys) }));
}
