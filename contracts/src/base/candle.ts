import { z } from 'zod';
import { money, quantity, time } from './wire.ts';

/** Candles: open, high, low, close and volume of an interval, by trade time in UTC. Weeks begin on Mondays. */
export const CandleInterval = z.enum(['1s', '1m', '5m', '15m', '1h', '4h', '1d', '1w', '1M']);
export type CandleInterval = z.infer<typeof CandleInterval>;

/** Intervals whose candles are stored. Candles of the other intervals are made of several stored ones. */
export const STORED_INTERVALS = ['1s', '1m', '1h', '1d'] as const satisfies CandleInterval[];
export type StoredInterval = (typeof STORED_INTERVALS)[number];
/** The stored interval that each interval is made of, and the most candles of it. */
export const CANDLE_PARTS: Record<CandleInterval, { of: StoredInterval; count: number }> = {
  '1s': { of: '1s', count: 1 },
  '1m': { of: '1m', count: 1 },
  '5m': { of: '1m', count: 5 },
  '15m': { of: '1m', count: 15 },
  '1h': { of: '1h', count: 1 },
  '4h': { of: '1h', count: 4 },
  '1d': { of: '1d', count: 1 },
  '1w': { of: '1d', count: 7 },
  '1M': { of: '1d', count: 31 },
};

/** One-second candles older than this before their symbol's last trade are deleted: at most 86,400 stay. */
export const SECOND_CANDLES_KEPT_MS = 86_400_000;

const DAY_MS = 86_400_000;
const LENGTH_MS = {
  '1s': 1_000,
  '1m': 60_000,
  '5m': 300_000,
  '15m': 900_000,
  '1h': 3_600_000,
  '4h': 14_400_000,
  '1d': DAY_MS,
  '1w': 7 * DAY_MS,
} as const satisfies Record<Exclude<CandleInterval, '1M'>, number>;
/** The first Monday after the Unix epoch, which was a Thursday. */
const MONDAY_MS = 4 * DAY_MS;

/** The start of the interval that contains this time. */
export function candleStart(interval: CandleInterval, ms: number): number {
  if (interval === '1M') {
    const at = new Date(ms);
    return Date.UTC(at.getUTCFullYear(), at.getUTCMonth());
  }
  const length = LENGTH_MS[interval];
  const origin = interval === '1w' ? MONDAY_MS : 0;
  return Math.floor((ms - origin) / length) * length + origin;
}

/** The end of the interval that begins at this time: the start of the next one. */
export function candleEnd(interval: CandleInterval, startMs: number): number {
  if (interval !== '1M') return startMs + LENGTH_MS[interval];
  const start = new Date(startMs);
  return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1);
}

export const CandleView = z.object({
  start: time,
  open: money,
  high: money,
  low: money,
  close: money,
  volume: quantity,
  trades: z.int(),
  closed: z.boolean().describe('Its interval is over.'),
});
export type CandleView = z.infer<typeof CandleView>;
