import { deriveId, Halt, type MarketEvent, Resume, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import pLimit from 'p-limit';
import type { z } from 'zod';
import { IdempotencyHeaders, requestKey } from '../idempotency.ts';
import { accepted, COMMAND_REPLY_HEADERS } from '../reply.ts';
import type { Market } from './market.ts';
import { haltTrading, type MarketDecision, resumeTrading } from './marketDecider.ts';
import type { MarketRoutes } from './routes.ts';

/** Appends that go out together: what others ask for meanwhile is not queued behind thousands of symbols. */
const SYMBOLS_AT_ONCE = 100;

/**
 * The whole market: symbol by symbol, one event each, all with one correlation id. It is not atomic; a repetition with
 * the same key goes on where the first one was cut short, and does nothing twice.
 */
export function marketWideRoutes(app: Http, { commands, markets, storeId }: MarketRoutes): void {
  const atOnce = pLimit(SYMBOLS_AT_ONCE);
  type Asked = {
    actor: { clientId: string };
    traceparent: string;
    headers: { 'idempotency-key'?: string | undefined };
    body: unknown;
  };
  const everySymbol = async (
    request: Asked,
    reply: Parameters<typeof accepted>[0],
    command: string,
    decide: (market: Market | undefined, symbol: string) => MarketDecision,
  ): Promise<z.infer<typeof views.MarketWideView>> => {
    const key = requestKey(request.headers, { command, subject: 'market', body: request.body });
    const correlationId = deriveId(key.id, command);
    const asked = {
      command,
      actor: `operator:${request.actor.clientId}`,
      traceparent: request.traceparent,
      correlationId,
    };
    const symbols = Array.from(markets.all(), ({ symbol }) => symbol).sort();
    const items = await Promise.all(
      symbols.map((symbol) =>
        atOnce(async () => {
          const its = { id: deriveId(key.id, symbol), hash: key.hash };
          const answer = await commands.onMarket(symbol, { ...asked, key: its }, (market) =>
            decide(market, symbol),
          );
          if ('refusal' in answer) return { symbol, changed: false, code: answer.refusal.code };
          accepted<MarketEvent>(reply, answer, { storeId, location: () => '/v1/symbols' });
          return { symbol, changed: true, code: null };
        }),
      ),
    );
    reply.code(202);
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
      everySymbol(request, reply, 'HaltMarket', (market, symbol) =>
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
      everySymbol(request, reply, 'ResumeMarket', (market, symbol) =>
        resumeTrading(market, { symbol, marketWide: true }),
      ),
  );
}
