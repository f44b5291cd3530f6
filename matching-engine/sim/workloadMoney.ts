import { type OrderTerms, SELF_TRADE_MODES } from '@brokerx/contracts';
import type { Random } from './random.ts';

/**
 * The terms of a valid buy for an amount of money: mostly just enough for a few lots at some price near the market, so that the
 * next price decides whether one more is bought.
 */
export function moneyTerms(
  random: Random,
  { centreTicks, spreadTicks, lotShares }: { centreTicks: number; spreadTicks: number; lotShares: number },
): OrderTerms & { limitTicks: number; notionalCents: number } {
  const limitTicks = centreTicks + 1 + random(2 * spreadTicks);
  const shares = lotShares * (1 + random(30)) + (random(3) === 0 ? random(lotShares) : 0);
  const mode = SELF_TRADE_MODES[random(SELF_TRADE_MODES.length - 1)] ?? 'none';
  return {
    limitTicks,
    notionalCents: random(8) === 0 ? 1 + random(1_000_000) : shares * (limitTicks - random(spreadTicks)),
    ...(random(2) === 0 ? { selfTrade: mode } : {}),
  };
}
