import { decimalFromCents } from '@brokerx/contracts';
import type { Random } from '../random.ts';

/**
 * Orders as they come on a busy market: half of them make liquidity a few ticks away from the mid, half take it, so
 * that about every second order trades on arrival. Over half of them are for one symbol. Bodies are made once and
 * sent many times: a load generator must cost little beside what it measures.
 */
export const BENCH_SYMBOLS = ['BENCH1', 'BENCH2', 'BENCH3', 'BENCH4', 'BENCH5'] as const;
export const MID_CENTS = 10_000;
const HOT_SHARE = 0.5;
const REACH_TICKS = 5;
const QUANTITY_MAX = 10;
const IOC_SHARE = 0.1;

export function orderBodies(random: Random, count: number): Buffer[] {
  return Array.from({ length: count }, () => {
    const side = random.chance(0.5) ? 'buy' : 'sell';
    const takes = random.chance(0.5);
    const outward = (side === 'buy' ? 1 : -1) * (takes ? 1 : -1);
    const symbol = random.chance(HOT_SHARE) ? BENCH_SYMBOLS[0] : random.pick(BENCH_SYMBOLS);
    return Buffer.from(
      JSON.stringify({
        symbol,
        side,
        type: 'limit',
        qty: String(1 + random.below(QUANTITY_MAX)),
        limit_price: decimalFromCents(MID_CENTS + outward * (1 + random.below(REACH_TICKS))),
        time_in_force: takes && random.chance(IOC_SHARE) ? 'ioc' : 'day',
      }),
    );
  });
}
