import type { EngineInput } from '@brokerx/contracts';
import type { StopRow } from '../src/snapshot.ts';
import { type Order, WHOLE } from './modelOrder.ts';

/** Orders that wait for their trigger, as plainly as they can be said: one array, walked for every single trade. */
type Placed = Extract<EngineInput, { type: 'OrderPlaced.v1' }>['data'];
export type ModelStop = {
  placed: Placed;
  revision: number;
  stop: number;
  mark: number;
  arrival: number;
};

const trailed = (side: 'buy' | 'sell', price: number, { trailTicks, trailPpm }: Placed): number => {
  const distance = trailTicks ?? (price * (trailPpm ?? 0)) / 1_000_000;
  return side === 'buy' ? Math.ceil(price + distance) : Math.floor(price - distance);
};
const tighter = (side: 'buy' | 'sell', a: number, b: number): number =>
  side === 'buy' ? Math.min(a, b) : Math.max(a, b);

export const firstStop = (placed: Placed, last: number): number =>
  placed.type === 'trailing_stop'
    ? tighter(placed.side, placed.stopTicks ?? 0, trailed(placed.side, last, placed))
    : (placed.stopTicks ?? 0);

export const isReached = (side: 'buy' | 'sell', stop: number, price: number): boolean =>
  side === 'buy' ? price >= stop : price <= stop;

/** The stops that these trades of one order reach, in the order in which they are carried out. */
export function reachedBy(
  stops: readonly ModelStop[],
  prices: readonly number[],
  before: number,
): ModelStop[] {
  const reached: ModelStop[] = [];
  for (const price of prices) {
    for (const one of stops) {
      const { side, type } = one.placed;
      if (reached.includes(one)) continue;
      if (type === 'trailing_stop' && tighter(side, price, one.mark) !== one.mark) {
        one.mark = price;
        one.stop = tighter(side, one.stop, trailed(side, price, one.placed));
      }
      if (isReached(side, one.stop, price)) reached.push(one);
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

/** A stop that was reached, as the order that arrives. */
export const arriving = ({ placed, revision }: ModelStop): Order => ({
  id: placed.orderId,
  accountId: placed.accountId,
  revision,
  side: placed.side,
  price: placed.limitTicks,
  day: placed.timeInForce === 'day',
  postOnly: false,
  endsWithCall: false,
  exempt: placed.bandExempt,
  selfTrade: placed.selfTrade ?? 'none',
  quantity: placed.quantity,
  done: 0,
  arrival: 0,
  ...WHOLE,
});
