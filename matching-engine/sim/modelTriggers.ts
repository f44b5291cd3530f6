import type { BookFact } from '@brokerx/contracts';
import type { InputRules } from './modelInput.ts';
import type { Order } from './modelOrder.ts';
import { type ModelStop, reachedBy, triggeredOrder } from './modelStops.ts';

export type HeldStops = { stops: ModelStop[]; queue: ModelStop[]; deferredIds: string[] };
type SweepResult = { facts: BookFact[]; ended: boolean; outside: boolean; bounded: boolean };

/** The model's triggers: reached stops trigger one after the other, each matched completely before the next. */
export function modelTriggers({
  held,
  rules,
  isFull,
  sweep,
  enter,
  lastTicks,
}: {
  held: HeldStops;
  rules: InputRules;
  isFull: () => boolean;
  sweep: (taker: Order, tickCents: number, time: string) => SweepResult;
  enter: (order: Order) => object;
  lastTicks: () => number;
}) {
  const pricesOf = (facts: readonly BookFact[]) =>
    facts.flatMap((f) => (f.type === 'TradeExecuted.v1' ? [f.data.priceTicks] : []));

  /** Triggers the stops that these trades reach; stops that their own trades reach come after all of them. */
  function runTriggers(facts: readonly BookFact[], before: number, time: string): BookFact[] {
    const prices = pricesOf(facts);
    if (prices.length === 0) return [];
    const deferred = takeDeferred();
    return runQueue([...deferred, ...reachedBy(held.stops, prices, before)], time);
  }

  function takeDeferred(): ModelStop[] {
    const deferred = held.deferredIds.flatMap(
      (id) => held.stops.find(({ placed }) => placed.orderId === id) ?? [],
    );
    held.deferredIds = [];
    held.stops = held.stops.filter((one) => !deferred.includes(one));
    return deferred;
  }

  /** Triggers the stops that earlier inputs had no room for, if the market trades. */
  function runDeferred(time: string): BookFact[] {
    return rules.isGathering() ? [] : runQueue(takeDeferred(), time);
  }

  /** `printTicks` is the price of the trade that reached the first of them, if that was not the last trade. */
  function runQueue(reached: ModelStop[], time: string, printTicks?: number): BookFact[] {
    held.queue = reached;
    held.stops = held.stops.filter((one) => !held.queue.includes(one));
    const outputs: BookFact[] = [];
    while (held.queue.length > 0) {
      if (isFull()) {
        held.deferredIds = [
          ...new Set([...held.deferredIds, ...held.queue.map(({ placed }) => placed.orderId)]),
        ];
        held.stops = [...held.stops, ...held.queue].sort((a, b) => a.arrival - b.arrival);
        held.queue = [];
        break;
      }
      const current = held.queue.shift() as ModelStop;
      rules.outputCount += 1;
      const { placed, stop } = current;
      const { side, quantity, limitTicks: price } = placed;
      const taker = triggeredOrder(current);
      const ref = { orderId: taker.id, accountId: taker.accountId, revision: taker.revision };
      const lastBefore = lastTicks();
      const joinsCall = rules.isGathering();
      const unmatched = { facts: [], ended: false, outside: false, bounded: false };
      const {
        facts: ownFacts,
        ended,
        outside,
        bounded,
      } = joinsCall ? unmatched : sweep(taker, placed.tickCents, time);
      const leaves = ended ? 0 : taker.quantity - taker.done;
      const rests = leaves > 0 && !bounded && (placed.type === 'stop_limit' || joinsCall || outside);
      if (rests) enter({ ...taker, endsWithCall: taker.unpriced, day: taker.day || taker.unpriced });
      const triggered = {
        order: ref,
        side,
        stopTicks: stop,
        lastTicks: outputs.length === 0 ? (printTicks ?? lastBefore) : lastBefore,
        limitTicks: price,
        quantity,
      };
      const entry = { restingQuantity: rests ? leaves : 0, entersAfter: rests ? ownFacts.length : 0 };
      outputs.push({ type: 'OrderTriggered.v1', data: { ...triggered, ...entry } }, ...ownFacts);
      if (leaves > 0 && !rests) {
        const rest = { order: ref, side, priceTicks: price, quantity: leaves, resting: false };
        const reason = bounded ? 'EXECUTION_BOUND' : 'INSUFFICIENT_LIQUIDITY';
        outputs.push({ type: 'OrderExpired.v1', data: { ...rest, reason } });
        rules.outputCount += 1;
      }
      if (outside) outputs.push(...rules.beginVolatilityAuction());
      const reachedNext = reachedBy(held.stops, pricesOf(ownFacts), lastBefore);
      held.stops = held.stops.filter((other) => !reachedNext.includes(other));
      held.queue.push(...reachedNext);
    }
    return outputs;
  }

  /** Triggers a stop of a bracket that was reached before it was activated. */
  function triggerOne(id: string, time: string, printTicks: number): BookFact[] {
    return runQueue(
      held.stops.filter(({ placed }) => placed.orderId === id),
      time,
      printTicks,
    );
  }

  return {
    runTriggers,
    runDeferred,
    triggerOne,
    owed: () => held.deferredIds.filter((id) => held.stops.some(({ placed }) => placed.orderId === id)),
  };
}
