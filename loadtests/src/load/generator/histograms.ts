import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js';

/** Latencies in microseconds, to three digits, as HdrHistograms; encoded, so that processes can hand them on and add them up. */
const HIGHEST_US = 120_000_000;

export const histogram = (): Histogram =>
  build({ lowestDiscernibleValue: 1, highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3 });

/** Records milliseconds; what lies beyond the range counts as its highest value. */
export function recordMs(to: Histogram, ms: number, count = 1): void {
  to.recordValueWithCount(Math.min(HIGHEST_US, Math.max(0, Math.round(ms * 1_000))), count);
}

/** Empty text for an empty histogram: most are, in most intervals. */
export const encoded = (from: Histogram): string =>
  from.totalCount === 0 ? '' : encodeIntoCompressedBase64(from);

export function addEncoded(to: Histogram, text: string): void {
  if (text !== '') to.add(decodeFromCompressedBase64(text, 32, false));
}

export type Percentiles = { count: number; p50: number; p95: number; p99: number; p999: number; max: number };

/** Milliseconds. */
export function percentiles(of: Histogram): Percentiles {
  const at = (percent: number) =>
    of.totalCount === 0 ? 0 : Math.round(of.getValueAtPercentile(percent) / 10) / 100;
  return { count: of.totalCount, p50: at(50), p95: at(95), p99: at(99), p999: at(99.9), max: at(100) };
}
