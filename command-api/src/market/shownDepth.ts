import { depthKey, MARKET_DATA_VIEW, tickerKey, type views } from '@brokerx/contracts';
import type { HotStore } from '@brokerx/infra';
import type { ShownDepth } from '../account/previewRoutes.ts';

/** The depth as the projectors keep it hot: the one read model that a command looks at, to tell what is only expected. */
export function hotDepth(hotStore: HotStore, storeId: string): ShownDepth {
  const view = hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version);
  return async (symbol) => {
    const { values, cursor } = await view.read([depthKey(symbol), tickerKey(symbol)]);
    const [depth, ticker] = values;
    if (depth) return JSON.parse(depth) as views.DepthView;
    if (cursor === null || cursor.storeId !== storeId || cursor.position === 0) return null;
    const sequence = ticker ? (JSON.parse(ticker) as views.TickerView).sequence : 0;
    return { symbol, sequence, last_update_id: sequence, crossed: false, bids: [], asks: [] };
  };
}
