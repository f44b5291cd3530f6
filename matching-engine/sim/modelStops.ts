import type { EngineInput } from '@brokerx/contracts';
import type { StopRow } from '../src/snapshot/snapshot.ts';
import { NO_ICEBERG, type Order } from './modelOrder.ts';

type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];
/** An order that waits for its trigger. All of them are in one array, which is walked for every trade. */
export type ModelStop = {
  placed: Placed;
  revision: number;
  stop: number;
  mark: number;
  arrival: number;
};

const trailedStop = (side: 'buy' | 'sell', price: number, { trailTicks, trailPpm }: Placed): number => {
  const distance = trailTicks ?? (price * (trailPpm ?? 0)) / 1_000_000;
  return side === 'buy' ? Math.ceil(price + distance) : Math.floor(price - distance);
};
const tighter = (side: 'buy' | 'sell', a: number, b: number): number =>
  side === 'buy' ? Math.min(a, b) : Math.max(a, b);

/** The first stop price. While the market does not trade (`last` is null), it is the requested one. */
export const firstStop = (placed: Placed, last: number | null): number =>
  placed.type === 'trailing_stop' && last !== null
    ? tighter(placed.side, placed.stopTicks ?? 0, trailedStop(placed.side, last, placed))
    : (placed.stopTicks ?? 0);

/** The mark that a trailing stop's first stop price belongs to. */
export const firstMark = ({ side, stopTicks = 0, trailTicks, trailPpm = 0 }: Placed): number => {
  const sign = side === 'buy' ? 1 : -1;
  if (trailTicks) return stopTicks - sign * trailTicks;
  const exact = (stopTicks * 1_000_000) / (1_000_000 + sign * trailPpm);
  return side === 'buy' ? Math.ceil(exact) : Math.floor(exact);
};

/** Moves the trailing stops for which this trade price is the best so far. */
export function moveTrailingStops(stops: readonly ModelStop[], price: number): void {
  for (const one of stops) {
    const { side, type } = one.placed;
    if (type !== 'trailing_stop' || tighter(side, price, one.mark) === one.mark) continue;
    one.mark = price;
    one.stop = tighter(side, one.stop, trailedStop(side, price, one.placed));
  }
}

export const isReached = (side: 'buy' | 'sell', stop: number, price: number): boolean =>
  side === 'buy' ? price >= stop : price <= stop;

/** The stops that the trades of one order reach, in the order in which they trigger. */
export function reachedBy(
  stops: readonly ModelStop[],
  prices: readonly number[],
  before: number,
): ModelStop[] {
  const reached: ModelStop[] = [];
  for (const price of prices) {
    for (const one of stops) {
      if (reached.includes(one)) continue;
      moveTrailingStops([one], price);
      if (isReached(one.placed.side, one.stop, price)) reached.push(one);
    }
  }
  const distance = ({ stop }: ModelStop) => Math.abs(stop - before);
  return reached.sort((a, b) => distance(a) - distance(b) || a.arrival - b.arrival);
}

export const stopRow = ({ placed, revision, stop, mark, arrival }: ModelStop, flags: number): StopRow => [
  placed.orderId,
  placed.accountId,
  revision,
  placed.side,
  stop,
  flags,
  placed.quantity,
  placed.quantity,
  placed.type as 'stop',
  placed.limitTicks,
  placed.trailTicks ?? 0,
  placed.trailPpm ?? 0,
  mark,
  arrival,
];

/** The order that a triggered stop becomes. */
export const triggeredOrder = ({ placed, revision }: ModelStop): Order => ({
  id: placed.orderId,
  accountId: placed.accountId,
  revision,
  side: placed.side,
  price: placed.limitTicks,
  day: placed.timeInForce === 'day',
  postOnly: false,
  endsWithCall: false,
  unpriced: placed.type !== 'stop_limit',
  exempt: placed.bandExempt,
  selfTrade: placed.selfTrade ?? 'none',
  quantity: placed.quantity,
  done: 0,
  arrival: 0,
  ...NO_ICEBERG,
});
