import { type EngineInput, SELF_TRADE_MODES, timeOf } from '@brokerx/contracts';
import type { Random } from './workload.ts';

type List = Extract<EngineInput, { type: 'OrderListPlaced.v1' }>['data'];

/**
 * Orders that belong together: a limit beyond the market and a stop on its other side, mostly; of a bracket behind a buy,
 * so near that the market may have passed them by the time it has bought.
 */
export function listOf(
  random: Random,
  given: { kind: 'oco' | 'bracket'; orderIds: readonly string[]; centre: number; timeMs: number },
): Pick<List, 'kind' | 'orders'> {
  const { kind, centre, timeMs } = given;
  const [first = '', second = '', third = ''] = given.orderIds;
  const begins = kind === 'bracket';
  const up = begins || random(2) === 0 ? 1 : -1;
  const near = () => 1 + random(random(3) === 0 ? 200 : 25);
  const priced = (ticks: number) => Math.max(1, ticks);
  const ends = random(8) === 0;
  const common = {
    clientOrderId: null,
    timeInForce: ends ? ('gtd' as const) : random(2) === 0 ? ('day' as const) : ('gtc' as const),
    ...(ends ? { expiresAt: timeOf(timeMs + random(4_000) - 100) } : {}),
    ...(random(3) === 0 ? { selfTrade: SELF_TRADE_MODES[random(5)] ?? 'none' } : {}),
  };
  const later = { side: up > 0 ? ('sell' as const) : ('buy' as const), ...common };
  const slack = begins ? random(20) : 0;
  const stopTicks = priced(centre - up * (near() - slack));
  const beyond = centre + (random(12) > 0 ? up : -up) * near() - up * slack;
  const limitTicks = priced(begins ? Math.max(stopTicks + Math.min(1, random(20)), beyond) : beyond);
  const isLimited = random(2) === 0;
  const [profit, loss] = begins ? [second, third] : [first, second];
  const children = [
    { orderId: profit, role: 'take_profit' as const, type: 'limit' as const, limitTicks, ...later },
    {
      orderId: loss,
      role: 'stop_loss' as const,
      type: isLimited ? ('stop_limit' as const) : ('stop' as const),
      limitTicks: priced(stopTicks - up * (isLimited ? random(10) - 4 : 1_000)),
      stopTicks,
      ...later,
    },
  ];
  if (!begins) return { kind, orders: children };
  const isMarket = random(4) === 0;
  const entry = {
    orderId: first,
    role: 'entry' as const,
    side: 'buy' as const,
    type: isMarket ? ('market' as const) : ('limit' as const),
    limitTicks: isMarket ? Math.round(centre * 1.1) : priced(centre + near() - near()),
    ...common,
  };
  return { kind, orders: [entry, ...children] };
}
