import { bookStream, depthKey, type Event, tradeView } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { follow } from '../live/follow.ts';
import type { HotValues } from '../live/hotValues.ts';
import type { LiveEvents } from '../live/liveEvents.ts';
import { frame } from '../live/sseFrame.ts';
import { type DepthView, emptyDepth, type MarketData, newestTrades } from '../market/marketData.ts';
import type { EventReader } from '../reading/eventReader.ts';
import { resumeAt } from './resume.ts';
import { type EventStream, followedBy } from './sse.ts';

/**
 * Streams a symbol's market. `depth` has the whole visible book whenever it has changed, at most ten times a second; a newer one
 * replaces an older one. `trade` has each trade, with the book's revision as id, so that a client misses none after a break.
 * Without an id the stream begins with the last trades, the oldest first.
 */
export async function streamSymbol(options: {
  store: EventReader;
  live: LiveEvents;
  hotValues: HotValues;
  to: EventStream;
  symbol: string;
  lastEventId: number | undefined;
  /** The symbol's market, read a moment ago. */
  market: Extract<MarketData, { state: 'found' }>;
}): Promise<void> {
  const { store, hotValues, to, symbol, lastEventId, market } = options;
  const stream = bookStream(symbol);
  const resume = lastEventId === undefined ? undefined : await resumeAt(store, stream, lastEventId);
  if (resume && 'resync' in resume)
    to.send(frame('resync_required', JSON.stringify({ reason: resume.resync })));

  const depth = market.depth ?? emptyDepth(symbol, 0);
  to.sendState(frame('depth', depth));
  let shown = depth;
  const unwatch = hotValues.watch(depthKey(symbol), (text) => {
    if (text === shown) return;
    shown = text;
    to.sendState(frame('depth', text));
  });
  to.ended.addEventListener('abort', unwatch, { once: true });
  if (to.ended.aborted) unwatch();

  let fromRevision: number;
  if (resume && 'from' in resume) fromRevision = resume.from;
  else {
    const trades = newestTrades(market.trades, INITIAL_TRADES).reverse();
    for (const trade of trades) to.send(frame('trade', JSON.stringify(trade), trade.sequence));
    const { sequence } = JSON.parse(depth) as DepthView;
    fromRevision = Math.max(sequence, trades.at(-1)?.sequence ?? 0) + 1;
  }
  await follow({
    ...options,
    ...followedBy(to),
    stream,
    fromRevision,
    give(recorded) {
      const message = tradeFrame(recorded);
      if (message !== null) to.send(message);
    },
  });
}

/** Trades that a stream begins with: a screenful. */
const INITIAL_TRADES = 50;

/** All watchers of a symbol get the same event, so its frame is made once. */
const frames = new WeakMap<Recorded<Event>, string | null>();

function tradeFrame(recorded: Recorded<Event>): string | null {
  const cachedFrame = frames.get(recorded);
  if (cachedFrame !== undefined) return cachedFrame;
  const { event, revision } = recorded;
  const isTrade = event.type === 'TradeExecuted.v1';
  const message = isTrade ? frame('trade', JSON.stringify(tradeView(event, recorded)), revision) : null;
  frames.set(recorded, message);
  return message;
}
