import type { EventOf } from '@brokerx/contracts';

/** The last trade and the figures of one UTC day by trade time. Prices in ticks, volume in shares. */
export type Ticker = {
  lastTicks: number | null;
  /** `YYYY-MM-DD` of the figures below: that of the last trade. */
  day: string;
  openTicks: number;
  highTicks: number;
  lowTicks: number;
  volume: number;
  trades: number;
};

export const emptyTicker = (): Ticker => ({ lastTicks: null, ...noTrades('') });

/** Adds one trade, in place; the first one of a day begins new figures. */
export function evolveTicker(ticker: Ticker, event: EventOf<'TradeExecuted.v1'>): void {
  const { priceTicks, quantity } = event.data;
  const day = dayOf(event.time);
  if (ticker.day !== day) Object.assign(ticker, noTrades(day));
  if (ticker.trades === 0) ticker.openTicks = ticker.highTicks = ticker.lowTicks = priceTicks;
  ticker.highTicks = Math.max(ticker.highTicks, priceTicks);
  ticker.lowTicks = Math.min(ticker.lowTicks, priceTicks);
  ticker.volume += quantity;
  ticker.trades += 1;
  ticker.lastTicks = priceTicks;
}

/** The figures of `today`: nothing was traded yet when the last trade was on an earlier day. */
export const figuresOf = (ticker: Ticker, today: string): Ticker =>
  ticker.day >= today ? ticker : { ...ticker, ...noTrades(today) };

/** The UTC day of an RFC 3339 time. */
export const dayOf = (time: string): string => time.slice(0, 10);

const noTrades = (day: string) => ({ day, openTicks: 0, highTicks: 0, lowTicks: 0, volume: 0, trades: 0 });
