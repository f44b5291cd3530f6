import { type MarketEvent, mintId, seal, timeOf, traceparentOf } from '@brokerx/contracts';
import type { Log, Runtime } from '@brokerx/infra';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import type { Market } from './market.ts';
import type { Markets } from './markets.ts';
import { due } from './phaseDecider.ts';

/**
 * The owner of market time: appends what has come due, and nothing else. It looks once a second in memory; what is
 * due is then decided against the state of that moment, so two owners at once (one of them slow) do it once.
 */
const LOOK_EVERY_MS = 1_000;
/** Where a market’s time passes faster than ours, it is looked at as much more often, within reason. */
const LOOK_EVERY_LEAST_MS = 50;

export function startTimer(options: { markets: Markets; runtime: Runtime; log: Log }): {
  stop(): Promise<void>;
} {
  const { markets, runtime, log } = options;
  let cancel: () => void = () => undefined;
  let stopped = false;
  let looking: Promise<void> = Promise.resolve();
  const chance = chances(runtime);
  const dueNow = (market: Market) => due(market, runtime.nowMs(), chance(market));

  const look = async () => {
    for (const market of markets.all()) {
      const { symbol } = market;
      if (stopped || !dueNow(market)) continue;
      try {
        await appendDue(symbol);
      } catch (err) {
        log[unlessOutage(err, 'warn')](
          { err, symbol },
          'a due market event could not be appended; it is tried again',
        );
      }
    }
    const fastest = Math.max(1, ...Array.from(markets.all(), ({ clock }) => clock.factor));
    const everyMs = Math.max(LOOK_EVERY_LEAST_MS, LOOK_EVERY_MS / fastest);
    if (!stopped) cancel = runtime.setTimer(everyMs, again);
  };
  const again = () => {
    looking = look();
  };

  const appendDue = async (symbol: string) => {
    const taskId = mintId(runtime);
    const executed = await markets.execute(symbol, (market, commitId) => {
      const fact = market ? dueNow(market) : null;
      if (!fact) return { reply: null };
      const cause = {
        time: timeOf(runtime.nowMs()),
        actor: 'system:market-time',
        correlationId: taskId,
        causationId: taskId,
        traceparent: traceparentOf(taskId),
      };
      const [event] = seal(commitId, cause, [fact]) as MarketEvent[];
      return event ? { event } : { reply: null };
    });
    if ('event' in executed && executed.event.type === 'DayEnded.v1') {
      log.info({ symbol, data: executed.event.data }, 'the trading day has ended');
    }
  };

  again();
  return {
    async stop() {
      stopped = true;
      cancel();
      await looking;
    },
  };
}

/** What chance decides of each call: drawn when it is first seen, and known here alone. */
function chances(runtime: Runtime): (market: Market) => number {
  const drawn = new Map<string, { since: string; chance: number }>();
  return ({ symbol, callSince }) => {
    if (callSince === null) return 0;
    const known = drawn.get(symbol);
    if (known?.since === callSince) return known.chance;
    const [high = 0, low = 0] = runtime.randomBytes(2);
    const chance = (high * 256 + low) / 65_536;
    drawn.set(symbol, { since: callSince, chance });
    return chance;
  };
}
