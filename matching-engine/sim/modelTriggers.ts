import type { BookFact } from '@brokerx/contracts';
import type { InputRules } from './modelInput.ts';
import type { Order } from './modelOrder.ts';
import { arriving, type ModelStop, reachedBy } from './modelStops.ts';

export type HeldStops = { stops: ModelStop[]; queued: ModelStop[]; owed: string[] };
type Swept = { facts: BookFact[]; ended: boolean; outside: boolean; bounded: boolean };

/** What trades bring about once more: stop after stop, each to its end. */
export function modelTriggers({
  held,
  rules,
  isFull,
  sweep,
  enter,
  last,
}: {
  held: HeldStops;
  rules: InputRules;
  isFull: () => boolean;
  sweep: (taker: Order, tickCents: number, time: string) => Swept;
  enter: (order: Order) => object;
  last: () => number;
}) {
  const pricesOf = (facts: readonly BookFact[]) =>
    facts.flatMap((f) => (f.type === 'TradeExecuted.v1' ? [f.data.priceTicks] : []));

  /** What the trades of an order bring about, stop after stop, each before those that it reaches itself. */
  function cascade(facts: readonly BookFact[], before: number, time: string): BookFact[] {
    const prices = pricesOf(facts);
    if (prices.length === 0) return [];
    const first = takeOwed();
    return runQueue([...first, ...reachedBy(held.stops, prices, before)], time);
  }

  function takeOwed(): ModelStop[] {
    const first = held.owed.flatMap((id) => held.stops.find(({ placed }) => placed.orderId === id) ?? []);
    held.owed = [];
    held.stops = held.stops.filter((one) => !first.includes(one));
    return first;
  }

  /** Those that wait for room, once the market trades. */
  function carryOn(time: string): BookFact[] {
    return rules.gathers() ? [] : runQueue(takeOwed(), time);
  }

  /** `print`: what reached the first of them, where that is not the last print. */
  function runQueue(reached: ModelStop[], time: string, print?: number): BookFact[] {
    held.queued = reached;
    held.stops = held.stops.filter((one) => !held.queued.includes(one));
    const told: BookFact[] = [];
    while (held.queued.length > 0) {
      if (isFull()) {
        held.owed = [...new Set([...held.owed, ...held.queued.map(({ placed }) => placed.orderId)])];
        held.stops = [...held.stops, ...held.queued].sort((a, b) => a.arrival - b.arrival);
        held.queued = [];
        break;
      }
      const one = held.queued.shift() as ModelStop;
      rules.told += 1;
      const { placed, stop } = one;
      const { side, quantity, limitTicks: price } = placed;
      const taker = arriving(one);
      const ref = { orderId: taker.id, accountId: taker.accountId, revision: taker.revision };
      const was = last();
      const joins = rules.gathers();
      const still = { facts: [], ended: false, outside: false, bounded: false };
      const { facts: own, ended, outside, bounded } = joins ? still : sweep(taker, placed.tickCents, time);
      const left = ended ? 0 : taker.quantity - taker.done;
      const rests = left > 0 && !bounded && (placed.type === 'stop_limit' || joins || outside);
      if (rests) enter({ ...taker, endsWithCall: taker.unpriced, day: taker.day || taker.unpriced });
      const triggered = {
        order: ref,
        side,
        stopTicks: stop,
        lastTicks: told.length === 0 ? (print ?? was) : was,
        limitTicks: price,
        quantity,
      };
      const entry = { restingQuantity: rests ? left : 0, entersAfter: rests ? own.length : 0 };
      told.push({ type: 'OrderTriggered.v1', data: { ...triggered, ...entry } }, ...own);
      if (left > 0 && !rests) {
        const gone = { order: ref, side, priceTicks: price, quantity: left, resting: false };
        const reason = bounded ? 'EXECUTION_BOUND' : 'INSUFFICIENT_LIQUIDITY';
        told.push({ type: 'OrderExpired.v1', data: { ...gone, reason } });
        rules.told += 1;
      }
      if (outside) told.push(...rules.interrupt());
      const next = reachedBy(held.stops, pricesOf(own), was);
      held.stops = held.stops.filter((other) => !next.includes(other));
      held.queued.push(...next);
    }
    return told;
  }

  /** One stop that was reached before it came. */
  function triggerOne(id: string, time: string, print: number): BookFact[] {
    return runQueue(
      held.stops.filter(({ placed }) => placed.orderId === id),
      time,
      print,
    );
  }

  return {
    cascade,
    carryOn,
    triggerOne,
    owed: () => held.owed.filter((id) => held.stops.some(({ placed }) => placed.orderId === id)),
  };
}
