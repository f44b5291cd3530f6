import { decimalFromCents, views } from '@brokerx/contracts';
import type { z } from 'zod';
import type { RawEventOf } from '../rawEvent.ts';

type Candle = z.infer<typeof views.CandleView>;
type Traded = RawEventOf<'TradeExecuted.v1'>;

/** A candle. Prices are in cents, the volume in shares. */
export type AuditedCandle = {
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  trades: number;
};

/** The candles of a symbol for every interval, by the start of the candle (RFC 3339 UTC). */
export type AuditedCandles = Record<views.CandleInterval, Map<string, AuditedCandle>>;

export const noCandles = (): AuditedCandles => ({
  '1s': new Map(),
  '1m': new Map(),
  '5m': new Map(),
  '15m': new Map(),
  '1h': new Map(),
  '4h': new Map(),
  '1d': new Map(),
  '1w': new Map(),
  '1M': new Map(),
});

export const INTERVALS = views.CandleInterval.options;

/** Computes the start of an interval from the text of a time: all times have the same form. */
const startOf: Record<views.CandleInterval, (time: string) => string> = {
  '1s': (time) => `${time.slice(0, 19)}.000Z`,
  '1m': (time) => `${time.slice(0, 16)}:00.000Z`,
  '5m': (time) => `${time.slice(0, 14)}${roundedDown(time.slice(14, 16), 5)}:00.000Z`,
  '15m': (time) => `${time.slice(0, 14)}${roundedDown(time.slice(14, 16), 15)}:00.000Z`,
  '1h': (time) => `${time.slice(0, 13)}:00:00.000Z`,
  '4h': (time) => `${time.slice(0, 11)}${roundedDown(time.slice(11, 13), 4)}:00:00.000Z`,
  '1d': (time) => `${time.slice(0, 10)}T00:00:00.000Z`,
  '1w': (time) => `${monday(time.slice(0, 10))}T00:00:00.000Z`,
  '1M': (time) => `${time.slice(0, 7)}-01T00:00:00.000Z`,
};
const roundedDown = (digits: string, step: number): string =>
  String(Number(digits) - (Number(digits) % step)).padStart(2, '0');
function monday(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return date.toISOString().slice(0, 10);
}

/** Candles of a second are shown for a day back from the last trade. */
const SECONDS_SHOWN_MS = 86_400_000;

/** Those of the candles that must be shown. */
export function shownOf(interval: views.CandleInterval, all: ReadonlyMap<string, AuditedCandle>) {
  const last = [...all.keys()].at(-1);
  if (interval !== '1s' || last === undefined) return all;
  const first = new Date(Date.parse(last) - SECONDS_SHOWN_MS).toISOString();
  return new Map([...all].filter(([start]) => start >= first));
}

export function addTrade(candles: AuditedCandles, { time, data }: Traded): void {
  const price = data.priceTicks * data.tickCents;
  for (const interval of INTERVALS) {
    const start = startOf[interval](time);
    const candle = candles[interval].get(start) ?? {
      open: price,
      high: price,
      low: price,
      close: price,
      volume: 0,
      trades: 0,
    };
    candles[interval].set(start, candle);
    if (price > candle.high) candle.high = price;
    if (price < candle.low) candle.low = price;
    candle.close = price;
    candle.volume += data.quantity;
    candle.trades += 1;
  }
}

/** Compares shown candles, which must come in the order of time, with those computed from the trades. */
export async function compareCandles(
  name: string,
  expected: ReadonlyMap<string, AuditedCandle>,
  shown: AsyncIterable<Candle> | Iterable<Candle>,
): Promise<string[]> {
  const differences: string[] = [];
  const unseen = new Set(expected.keys());
  let previousStart = '';
  for await (const candle of shown) {
    const expectedCandle = expected.get(candle.start);
    if (!expectedCandle) differences.push(`candle ${name} ${candle.start} is shown, nothing was traded`);
    else if (!unseen.delete(candle.start)) differences.push(`candle ${name} ${candle.start} is shown twice`);
    else if (textOf(candle) !== textOfAudited(expectedCandle)) {
      differences.push(
        `candle ${name} ${candle.start}: shown ${textOf(candle)}, should be ${textOfAudited(expectedCandle)}`,
      );
    }
    if (candle.start < previousStart)
      differences.push(`candle ${name} ${candle.start} comes after ${previousStart}`);
    previousStart = candle.start;
  }
  for (const start of unseen) differences.push(`candle ${name} ${start} is not shown`);
  return differences;
}

const textOf = ({ open, high, low, close, volume, trades }: Candle): string =>
  `${open} ${high} ${low} ${close}, ${volume} shares in ${trades} trades`;

const textOfAudited = ({ open, high, low, close, volume, trades }: AuditedCandle): string =>
  textOf({
    start: '',
    open: decimalFromCents(open),
    high: decimalFromCents(high),
    low: decimalFromCents(low),
    close: decimalFromCents(close),
    volume: String(volume),
    trades,
    closed: true,
  });
