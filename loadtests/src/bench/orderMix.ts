import { decimalFromCents } from '@brokerx/contracts';
import type { Random } from '../random.ts';

/**
 * Makes orders as they come on a busy market: about half of them trade (makers near the mid, and takers that reach them), a
 * fifth finds no match and expires at once, and the rest waits away from the market. Over half of them are for one symbol.
 * Bodies are made once and sent many times: a load generator must cost little compared with what it measures.
 */
export const BENCH_SYMBOLS = ['BENCH1', 'BENCH2', 'BENCH3', 'BENCH4', 'BENCH5'] as const;
export const MID_CENTS = 10_000;
const HOT_SHARE = 0.5;
const MAKER_SHARE = 0.3;
const TAKER_SHARE = 0.3;
const MISSING_SHARE = 0.2;
const REACH_TICKS = 5;
const AWAY_TICKS = 50;
const QUANTITY_MAX = 10;

export function orderBodies(
  random: Random,
  count: number,
  /** `restsOnly`: none of the orders trades. */
  {
    symbols = BENCH_SYMBOLS,
    hotShare = HOT_SHARE,
    restsOnly = false,
  }: { symbols?: readonly string[]; hotShare?: number; restsOnly?: boolean } = {},
): Buffer[] {
  return Array.from({ length: count }, () => {
    const side = random.chance(0.5) ? 'buy' : 'sell';
    const { ticks, timeInForce } = restsOnly ? resting(random) : intention(random);
    // Distances count from the mid into the own side of the book; below zero an order reaches into the other one.
    const priceCents = MID_CENTS + (side === 'buy' ? -ticks : ticks);
    const symbol = random.chance(hotShare) ? symbols[0] : random.pick(symbols);
    const qty = String(1 + random.below(QUANTITY_MAX));
    const limit_price = decimalFromCents(priceCents);
    return Buffer.from(
      JSON.stringify({ symbol, side, type: 'limit', qty, limit_price, time_in_force: timeInForce }),
    );
  });
}

const resting = (random: Random) =>
  ({ ticks: 2 * REACH_TICKS + random.below(AWAY_TICKS), timeInForce: 'day' }) as const;

function intention(random: Random): { ticks: number; timeInForce: 'day' | 'ioc' } {
  const near = 1 + random.below(REACH_TICKS);
  const away = 2 * REACH_TICKS + random.below(AWAY_TICKS);
  if (random.chance(MAKER_SHARE)) return { ticks: near, timeInForce: 'day' };
  if (random.chance(TAKER_SHARE / (1 - MAKER_SHARE))) return { ticks: -near, timeInForce: 'day' };
  const rest = 1 - MAKER_SHARE - TAKER_SHARE;
  return { ticks: away, timeInForce: random.chance(MISSING_SHARE / rest) ? 'ioc' : 'day' };
}
