import { deriveId, Halt, type MarketEvent, type RefusalCode, Resume, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import pLimit from 'p-limit';
import type { z } from 'zod';
import { problemOf } from '../commands/refusals.ts';
import { accepted, COMMAND_REPLY_HEADERS } from '../commands/reply.ts';
import { IdempotencyHeaders, requestKey } from '../commands/requestKey.ts';
import type { Market } from '../market/market.ts';
import { haltTrading, type MarketDecision, resumeTrading } from '../market/marketDecider.ts';
import type { MarketRoutes, OperatorRequest } from './routes.ts';

const KEY_REFUSALS: ReadonlySet<RefusalCode> = new Set([
  'STALE_REQUEST',
  'IDEMPOTENCY_KEY_VERSION',
  'IDEMPOTENCY_KEY_REUSED',
]);
/** Symbols changed at a time, so that other commands are not queued behind thousands of symbols. */
const SYMBOLS_AT_ONCE = 100;

/**
 * The routes that halt or resume all symbols: one event for each symbol, all with one correlation id. The command is not
 * atomic. Each symbol keeps its key, so a repetition goes on where the first attempt was cut short and does nothing twice.
 */
export function marketWideRoutes(app: Http, { commands, markets, storeId }: MarketRoutes): void {
  const limit = pLimit(SYMBOLS_AT_ONCE);
  const onEverySymbol = async (
    request: OperatorRequest,
    reply: Parameters<typeof accepted>[0],
    command: string,
    decide: (market: Market | undefined, symbol: string) => MarketDecision,
  ): Promise<z.infer<typeof views.MarketWideView>> => {
    const key = requestKey(request.headers, { command, subject: 'market', body: request.body });
    const correlationId = deriveId(key.id, command);
    const commandRequest = {
      command,
      key,
      actor: `operator:${request.actor.clientId}`,
      traceparent: request.traceparent,
      correlationId,
    };
    const symbols = Array.from(markets.all(), ({ symbol }) => symbol).sort();
    const answers = await Promise.all(
      symbols.map((symbol) =>
        limit(async () => ({
          symbol,
          answer: await commands.onMarket(symbol, commandRequest, (market) => decide(market, symbol)),
        })),
      ),
    );
    const items = answers.map(({ symbol, answer }) =>
      'refusal' in answer
        ? { symbol, changed: false, code: answer.refusal.code }
        : { symbol, changed: true, code: null },
    );
    const changed = answers.flatMap(({ answer }) => ('refusal' in answer ? [] : [answer]));
    const refused = answers.flatMap(({ answer }) => ('refusal' in answer ? [answer.refusal] : []));
    // No symbol accepts the key, so nothing was begun.
    const [keyRefusal] = changed.length > 0 ? [] : refused.filter(({ code }) => KEY_REFUSALS.has(code));
    if (keyRefusal) throw problemOf(keyRefusal);
    reply.code(202);
    // A client that has read up to the newest commit has read all of them.
    const [newest] = changed.toSorted((a, b) => b.position - a.position);
    if (newest) accepted<MarketEvent>(reply, newest, { storeId, location: () => '/v1/symbols' });
    return { correlation_id: correlationId, items };
  };

  const schema = {
    tags: ['Operations'],
    headers: IdempotencyHeaders,
    response: { 202: views.MarketWideView },
  };
  const config = { auth: ['operator'], replyHeaders: COMMAND_REPLY_HEADERS } as const;
  app.post(
    '/v1/market/halt',
    {
      config,
      schema: {
        ...schema,
        summary: 'Halt trading in every symbol',
        description: 'Symbol by symbol; those that are halted already stay as they are.',
        body: Halt.meta({ examples: [{ reason: 'a breaker' }] }),
      },
    },
    (request, reply) =>
      onEverySymbol(request, reply, 'HaltMarket', (market, symbol) =>
        haltTrading(market, { ...request.body, symbol, marketWide: true }),
      ),
  );
  app.post(
    '/v1/market/resume',
    {
      config,
      schema: {
        ...schema,
        summary: 'Resume trading in every symbol that was halted with the market',
        description: 'A symbol that was halted by itself stays halted.',
        body: Resume.nullish(),
      },
    },
    (request, reply) =>
      onEverySymbol(request, reply, 'ResumeMarket', (market, symbol) =>
        resumeTrading(market, { symbol, marketWide: true }),
      ),
  );
}
