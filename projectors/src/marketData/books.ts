import assert from 'node:assert/strict';
import { depthKey, type Event, keyOfStream, tickerKey, tradesKey } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { evolveMarket, openMarket, type SymbolMarket } from './symbolMarket.ts';

/** The books in memory and what of them is not yet published or kept. */
export type Books = {
  markets: ReadonlyMap<string, SymbolMarket>;
  /** Symbols changed since they were last published. */
  unpublished: Set<string>;
  /** Symbols changed since their last snapshot. */
  unkept: Set<string>;
  /** Symbols whose values are to be taken out of the view. */
  withdrawn: ReadonlySet<string>;
  /** Everything is to be published anew. */
  touchAll(): void;
  fold(events: readonly Recorded<Event>[]): void;
};

/**
 * Follows books on top of restored ones. `reflected` gives the position that a restored market already reflects, at
 * least: what lies at or below it is not folded again, nor what its book has got already. A book that cannot be followed is dropped, the others go on.
 */
export function followBooks(
  restored: ReadonlyMap<string, SymbolMarket>,
  reflected: ReadonlyMap<string, number>,
  onBroken: (symbol: string, error: unknown) => void,
): Books {
  const markets = new Map(restored);
  const unpublished = new Set<string>(markets.keys());
  const unkept = new Set<string>();
  const withdrawn = new Set<string>();

  const foldOne = (symbol: string, recorded: Recorded<Event>) => {
    const { event } = recorded;
    if (event.type === 'SymbolListed.v1') {
      if (restored.has(symbol)) return;
      assert(!markets.has(symbol), `${symbol} is listed twice`);
      markets.set(symbol, openMarket(symbol, event.data.rules.tickCents));
    } else if (recorded.stream.startsWith('book-')) {
      const market = markets.get(symbol);
      assert(market, `the book of ${symbol} has events before its listing`);
      if (recorded.revision <= market.sequence) return;
      evolveMarket(market, recorded);
    } else return;
    unpublished.add(symbol);
    unkept.add(symbol);
  };

  return {
    markets,
    unpublished,
    unkept,
    withdrawn,
    touchAll() {
      for (const symbol of markets.keys()) unpublished.add(symbol);
    },
    fold(events) {
      for (const recorded of events) {
        const symbol = keyOfStream(recorded.stream);
        if (withdrawn.has(symbol) || recorded.position <= (reflected.get(symbol) ?? 0)) continue;
        try {
          foldOne(symbol, recorded);
        } catch (error) {
          markets.delete(symbol);
          unpublished.delete(symbol);
          unkept.delete(symbol);
          withdrawn.add(symbol);
          onBroken(symbol, error);
        }
      }
    },
  };
}

/** The hot view's keys of a symbol. */
export const keysOf = (symbol: string): string[] => [depthKey(symbol), tickerKey(symbol), tradesKey(symbol)];
