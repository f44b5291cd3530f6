import { type EngineInput, SELF_TRADE_MODES, timeOf } from '@brokerx/contracts';
import type { Random } from './random.ts';

type List = Extract<EngineInput, { type: 'OrderListPlaced.v1' }>['data'];

/**
 * A list of orders: mostly a limit on one side of the market and a stop on the other. The legs of a bracket are so near that the
 * market may have passed them when the entry has bought.
 */
export function listOf(
  random: Random,
  given: { kind: 'oco' | 'bracket'; orderIds: readonly string[]; centreTicks: number; timeMs: number },
): Pick<List, 'kind' | 'orders'> {
  const { kind, centreTicks, timeMs } = given;
  const [first = '', second = '', third = ''] = given.orderIds;
  const isBracket = kind === 'bracket';
  const sign = isBracket || random(2) === 0 ? 1 : -1;
  const randomDistance = () => 1 + random(random(3) === 0 ? 200 : 25);
  const atLeastOneTick = (ticks: number) => Math.max(1, ticks);
  const isGtd = random(8) === 0;
  const common = {
    clientOrderId: null,
    timeInForce: isGtd ? ('gtd' as const) : random(2) === 0 ? ('day' as const) : ('gtc' as const),
    ...(isGtd ? { expiresAt: timeOf(timeMs + random(4_000) - 100) } : {}),
    ...(random(3) === 0 ? { selfTrade: SELF_TRADE_MODES[random(5)] ?? 'none' } : {}),
  };
  const legTerms = { side: sign > 0 ? ('sell' as const) : ('buy' as const), ...common };
  const shiftTicks = isBracket ? random(20) : 0;
  const stopTicks = atLeastOneTick(centreTicks - sign * (randomDistance() - shiftTicks));
  const profitTicks = centreTicks + (random(12) > 0 ? sign : -sign) * randomDistance() - sign * shiftTicks;
  const limitTicks = atLeastOneTick(
    isBracket ? Math.max(stopTicks + Math.min(1, random(20)), profitTicks) : profitTicks,
  );
  const isLimited = random(2) === 0;
  const [profit, loss] = isBracket ? [second, third] : [first, second];
  const legs = [
    { orderId: profit, role: 'take_profit' as const, type: 'limit' as const, limitTicks, ...legTerms },
    {
      orderId: loss,
      role: 'stop_loss' as const,
      type: isLimited ? ('stop_limit' as const) : ('stop' as const),
      limitTicks: atLeastOneTick(stopTicks - sign * (isLimited ? random(10) - 4 : 1_000)),
      stopTicks,
      ...legTerms,
    },
  ];
  if (!isBracket) return { kind, orders: legs };
  const isMarket = random(4) === 0;
  const entry = {
    orderId: first,
    role: 'entry' as const,
    side: 'buy' as const,
    type: isMarket ? ('market' as const) : ('limit' as const),
    limitTicks: isMarket
      ? Math.round(centreTicks * 1.1)
      : atLeastOneTick(centreTicks + randomDistance() - randomDistance()),
    ...common,
  };
  return { kind, orders: [entry, ...legs] };
}
