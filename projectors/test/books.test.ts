import { keyOfStream } from '@brokerx/contracts';
import { landmarks, memorySnapshots } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { followBooks } from '../src/marketData/books.ts';
import { loadMarkets, marketSnapshots } from '../src/marketData/marketSnapshots.ts';
import { hotValues } from '../src/marketData/symbolMarket.ts';
import { spanOf } from '../src/marketData/ticker.ts';
import { makeHistory } from './history.ts';
import { appendAll, STORE_ID, storeInMemory } from './readModelsOf.ts';

const never = (symbol: string, error: unknown) => {
  throw new Error(`the book of ${symbol} broke`, { cause: error });
};

const NOW = spanOf(Date.UTC(2026, 0, 5));

test('books that are each at another place are kept, and go on from the lowest', async () => {
  const store = storeInMemory();
  const history = makeHistory({ seed: 41, orders: 1_000, symbols: 6 });
  await appendAll(store, history.commits);
  const filter = { categories: ['book', 'market'] };
  const { events } = await store.readAll(0, filter, 1_000_000);
  const symbols = [...new Set(events.map(({ stream }) => keyOfStream(stream)))].sort();
  const placeOf = (part: number) => events[Math.floor(events.length * part)]?.position ?? 0;
  const middle = placeOf(0.5);
  // As partitions bring them: each symbol further than the one before it, the first one to the middle.
  const upTo = (symbol: string) => placeOf(0.5 + symbols.indexOf(symbol) * 0.05);

  const first = followBooks(new Map(), new Map(), never);
  first.fold(events.filter(({ stream, position }) => position <= upTo(keyOfStream(stream))));
  const snapshots = memorySnapshots({ store });
  const followed = landmarks(null);
  followed.add(events);
  const reached = { position: middle, landmark: followed.at(middle) };
  await marketSnapshots(snapshots, STORE_ID).save(first, () => reached);

  const loaded = await loadMarkets(snapshots, store);
  expect(loaded.cursor).toEqual({ storeId: STORE_ID, ...reached });
  const second = followBooks(loaded.markets, loaded.reflected, never);
  second.fold(events.filter(({ position }) => position > middle));

  const straight = followBooks(new Map(), new Map(), never);
  straight.fold(events);
  const shown = ({ markets }: typeof straight) =>
    symbols.map((symbol) => {
      const market = markets.get(symbol);
      return market && hotValues(market, NOW);
    });
  expect(shown(second)).toEqual(shown(straight));
});
