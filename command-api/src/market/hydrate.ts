import { bookStream, type Event, keyOfStream, type MarketEvent } from '@brokerx/contracts';
import type { Cursor, EventStore } from '@brokerx/infra';
import { evolveMarket, type Market, UNKNOWN } from './market.ts';

/**
 * All markets as of now, without a snapshot: the few events of their own streams, and the last trade looked for from
 * the end of each book. So a start does not depend on how much was ever traded.
 */
export async function hydrateMarkets(
  store: EventStore<Event>,
): Promise<{ markets: Map<string, Market>; cursor: Cursor }> {
  const markets = new Map<string, Market>();
  /** Position of each symbol's last day end: trades before it are no last trade any more. */
  const dayEnds = new Map<string, number>();
  let position = 0;
  for (let atEnd = false; !atEnd; ) {
    const page = await store.readAll(position, { categories: ['market'] }, PAGE_EVENTS);
    for (const { event, stream, revision, position: at } of page.events) {
      const symbol = keyOfStream(stream);
      if (event.type === 'DayEnded.v1') dayEnds.set(symbol, at);
      markets.set(symbol, evolveMarket(markets.get(symbol), event as MarketEvent, revision));
    }
    ({ position, atEnd } = page);
  }
  // What is traded after `position` comes through the feed, again where it is found here already.
  for (const market of markets.values()) {
    // The books are not read for orders that end one day: the market is asked, by letting it know the time.
    market.nextExpiresAt = UNKNOWN;
    market.awaiting = null;
    market.lastTradeTicks = await lastTradeTicks(store, market.symbol, dayEnds.get(market.symbol) ?? 0);
  }
  return { markets, cursor: { storeId: store.id, position } };
}

const PAGE_EVENTS = 1_000;

async function lastTradeTicks(
  store: EventStore<Event>,
  symbol: string,
  after: number,
): Promise<number | null> {
  const stream = bookStream(symbol);
  for (let end = await store.streamRevision(stream); end >= 0; end -= PAGE_EVENTS) {
    const from = Math.max(0, end - PAGE_EVENTS + 1);
    const page = await store.readStream(stream, from, end - from + 1);
    for (const { event, position } of page.toReversed()) {
      if (position <= after) return null;
      if (event.type === 'TradeExecuted.v1') return event.data.priceTicks;
    }
  }
  return null;
}
