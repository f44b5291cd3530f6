import {
  MATCHING_RULES_VERSION,
  type MarketEvent,
  mintId,
  seal,
  timeOf,
  traceparentOf,
} from '@brokerx/contracts';
import type { Log, Runtime } from '@brokerx/infra';
import { adoptMatchingRules } from './marketDecider.ts';
import type { Markets } from './markets.ts';

/**
 * Symbols that follow older matching rules when market time begins to be kept: a development installation lets them
 * adopt the newest ones; any other names them, since a market's rules are its operator's to change.
 */
export async function followNewestRules(options: {
  markets: Markets;
  runtime: Runtime;
  log: Log;
  adopts: boolean;
}): Promise<void> {
  const { markets, log, adopts } = options;
  const older = Array.from(markets.all()).filter((market) => market.matchingRules < MATCHING_RULES_VERSION);
  const symbols = older.map(({ symbol }) => symbol).sort();
  if (symbols.length === 0) return;
  const adoption = { symbols, version: MATCHING_RULES_VERSION };
  if (!adopts) {
    log.warn(
      adoption,
      `${symbols.join(', ')} follow older matching rules than version ${MATCHING_RULES_VERSION}: ` +
        'an operator lets a symbol adopt it by POST /v1/symbols/{symbol}/matching-rules',
    );
    return;
  }
  for (const symbol of symbols) await adopt(options, symbol);
  log.info(adoption, 'symbols have adopted the newest matching rules');
}

/** Adopts the newest rules unless the symbol follows them already: two processes at once adopt them once. */
async function adopt({ markets, runtime }: { markets: Markets; runtime: Runtime }, symbol: string) {
  const taskId = mintId(runtime);
  await markets.execute(symbol, (market, commitId) => {
    const decision = adoptMatchingRules(market, { symbol });
    if ('refusal' in decision) return { reply: null };
    const cause = {
      time: timeOf(runtime.nowMs()),
      actor: 'system:matching-rules',
      correlationId: taskId,
      causationId: taskId,
      traceparent: traceparentOf(taskId),
    };
    const [event] = seal(commitId, cause, [decision.fact]) as MarketEvent[];
    return event ? { event } : { reply: null };
  });
}
