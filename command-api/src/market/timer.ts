import { type MarketEvent, mintId, seal, timeOf } from '@brokerx/contracts';
import { type Log, mintTraceparent, type Runtime } from '@brokerx/infra';
import type { Market } from './market.ts';
import { endDay, reachTime } from './marketDecider.ts';
import type { Markets } from './markets.ts';
import { CALL_RANDOM_MS, endCall } from './phaseDecider.ts';

/**
 * The owner of market time: appends what has come due, and nothing else. It looks once a second in memory; what is
 * due is then decided against the state of that moment, so two owners at once (one of them slow) do it once.
 */
const LOOK_EVERY_MS = 1_000;

export function startTimer(options: { markets: Markets; runtime: Runtime; log: Log }): {
  stop(): Promise<void>;
} {
  const { markets, runtime, log } = options;
  let cancel: () => void = () => undefined;
  let stopped = false;
  let looking: Promise<void> = Promise.resolve();
  const randomEnd = randomEnds(runtime);

  /** One thing at a time, the end of a call first. */
  const due = (market: Market, nowMs: number) =>
    endCall(market, nowMs, randomEnd(market)) ?? endDay(market, nowMs) ?? reachTime(market, nowMs);

  const look = async () => {
    for (const market of markets.all()) {
      const { symbol } = market;
      if (stopped || !due(market, runtime.nowMs())) continue;
      try {
        await appendDue(symbol);
      } catch (err) {
        log.warn({ err, symbol }, 'a due market event could not be appended; it is tried again');
      }
    }
    if (!stopped) cancel = runtime.setTimer(LOOK_EVERY_MS, again);
  };
  const again = () => {
    looking = look();
  };

  const appendDue = async (symbol: string) => {
    const taskId = mintId(runtime);
    const executed = await markets.execute(symbol, (market, commitId) => {
      const fact = market ? due(market, runtime.nowMs()) : null;
      if (!fact) return { reply: null };
      const cause = {
        time: timeOf(runtime.nowMs()),
        actor: 'system:market-time',
        correlationId: taskId,
        causationId: taskId,
        traceparent: mintTraceparent(runtime),
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

/** What chance adds to each call: drawn when it is first seen, and known here alone. */
function randomEnds(runtime: Runtime): (market: Market) => number {
  const drawn = new Map<string, { since: string; ms: number }>();
  return ({ symbol, callSince }) => {
    if (callSince === null) return 0;
    const known = drawn.get(symbol);
    if (known?.since === callSince) return known.ms;
    const [high = 0, low = 0] = runtime.randomBytes(2);
    const ms = Math.floor(((high * 256 + low) / 65_536) * CALL_RANDOM_MS);
    drawn.set(symbol, { since: callSince, ms });
    return ms;
  };
}
