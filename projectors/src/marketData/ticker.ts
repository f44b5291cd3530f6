import type { EventOf } from '@brokerx/contracts';

/**
 * The last trade of a symbol, and the figures of its last 24 hours by trade time. They are summed in spans of five minutes, so
 * that old ones drop out with the clock, and a symbol takes some 10 KB. Prices are in ticks, volume in shares.
 */
export type Ticker = {
  lastTicks: number | null;
  /** Spans with trades, the oldest first. */
  spans: Span[];
};

/** `at` is the span's number since the Unix epoch. */
type Span = { at: number; open: number; high: number; low: number; volume: number; trades: number };
export type Figures = Omit<Span, 'at'>;

const SPAN_MS = 300_000;
/** 24 hours. */
const SPANS = 288;

export const spanOf = (ms: number): number => Math.floor(ms / SPAN_MS);

export const emptyTicker = (): Ticker => ({ lastTicks: null, spans: [] });

/** Adds one trade, in place. */
export function evolveTicker(ticker: Ticker, event: EventOf<'TradeExecuted.v1'>): void {
  const { priceTicks, quantity } = event.data;
  const at = spanOf(Date.parse(event.time));
  const { spans } = ticker;
  let span = spans.at(-1);
  if (!span || span.at < at) {
    span = { at, open: priceTicks, high: priceTicks, low: priceTicks, volume: 0, trades: 0 };
    spans.push(span);
    while (isOver(spans[0], at)) spans.shift();
  }
  span.high = Math.max(span.high, priceTicks);
  span.low = Math.min(span.low, priceTicks);
  span.volume += quantity;
  span.trades += 1;
  ticker.lastTicks = priceTicks;
}

/** The figures of the 24 hours up to the end of the span `now`; null when nothing was traded in them. */
export function figuresOf(ticker: Ticker, now: number): Figures | null {
  let figures: Figures | null = null;
  for (const span of ticker.spans) {
    if (isOver(span, now)) continue;
    const { open, high, low, volume, trades } = span;
    figures = figures
      ? {
          open: figures.open,
          high: Math.max(figures.high, high),
          low: Math.min(figures.low, low),
          volume: figures.volume + volume,
          trades: figures.trades + trades,
        }
      : { open, high, low, volume, trades };
  }
  return figures;
}

const isOver = (span: Span | undefined, now: number): boolean => span !== undefined && span.at <= now - SPANS;
