import assert from 'node:assert/strict';
import { depthKey, type Event, keyOfStream, tickerKey, tradesKey } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { evolveMarket, openMarket, type SymbolMarket } from './symbolMarket.ts';

/** The followed books, and which of them are not yet published or saved. */
export type Books = {
  markets: ReadonlyMap<string, SymbolMarket>;
  /** Symbols changed since they were last published. */
  unpublished: Set<string>;
  /** Symbols changed since their last snapshot. */
  unkept: Set<string>;
  /** Symbols whose values are removed from the view, since their books cannot be followed. */
  withdrawn: ReadonlySet<string>;
  /** Marks every book as unpublished. */
  touchAll(): void;
  fold(events: readonly Recorded<Event>[]): void;
};

/**
 * Follows books on top of restored ones. `reflected` has the position that each restored market reflects, at least: events at or
 * below it, or already in the book, are not folded again. A book that cannot be followed is dropped; the others go on.
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
