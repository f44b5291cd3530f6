import {
  depthKey,
  type Event,
  MARKET_DATA_EVENTS,
  MARKET_DATA_VIEW,
  tickerKey,
  type views,
} from '@brokerx/contracts';
import { type EventStore, type HotStore, ofOwnPast } from '@brokerx/infra';

/** The book as it is shown, empty where nothing was ever in it; null while it cannot be told. */
export type ShownDepth = (symbol: string) => Promise<views.DepthView | null>;

/** The depth as the projectors keep it hot: the one read model that a command looks at, to tell what is only expected. */
export function hotDepth(hotStore: HotStore, store: EventStore<Event>): ShownDepth {
  const shared = hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version);
  const view = ofOwnPast(shared, store, MARKET_DATA_EVENTS);
  return async (symbol) => {
    const { values, cursor } = await view.read([depthKey(symbol), tickerKey(symbol)]);
    const [depth, ticker] = values;
    if (depth) return JSON.parse(depth) as views.DepthView;
    if (cursor === null || cursor.position === 0) return null;
    const sequence = ticker ? (JSON.parse(ticker) as views.TickerView).sequence : 0;
    return { symbol, sequence, last_update_id: sequence, crossed: false, bids: [], asks: [] };
  };
}
