import { views } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import type { Http } from '@brokerx/infra/http/http.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  CandlesQuery,
  DepthQuery,
  SymbolPath,
  SymbolQuery,
  SymbolsQuery,
  TradesQuery,
} from '../http/parameters.ts';
import { refused } from '../http/problems.ts';
import { POSITION_REPLY_HEADERS, PositionHeaders, type Reading } from '../reading/reading.ts';
import { candlesToken, readCandles } from './candles.ts';
import {
  cutDepth,
  emptyDepth,
  MARKET_DATA,
  type MarketLookFrom,
  marketLook,
  newestTrades,
} from './marketData.ts';
import { readSymbols, symbolsToken } from './symbols.ts';

/** The public routes of market data. */
export function marketRoutes(app: Http, deps: MarketLookFrom & { runtime: Runtime }, reads: Reading): void {
  const { runtime } = deps;
  const shared = { tags: ['Market'], headers: PositionHeaders };
  const config = { auth: 'public', replyHeaders: POSITION_REPLY_HEADERS } as const;

  /** Reads a symbol's market data; the reply states the position that was read with them. */
  const market = async (
    request: FastifyRequest,
    reply: FastifyReply,
    symbol: string,
    wanted: { depth?: boolean; trades?: boolean } = {},
  ) => {
    const data = await reads.look(request, reply, MARKET_DATA, marketLook(deps, symbol, wanted));
    if (data.state !== 'found') throw refused('UNKNOWN_SYMBOL', `there is no symbol ${symbol}`);
    return data;
  };
  const json = (reply: FastifyReply, text: string) =>
    reply.type('application/json; charset=utf-8').send(text);

  app.get(
    '/v1/symbols',
    {
      config,
      schema: {
        ...shared,
        summary: 'All symbols',
        querystring: SymbolsQuery,
        response: { 200: views.page(views.SymbolView) },
      },
    },
    async (request, reply) => {
      const after = await reads.requestedPage(request, symbolsToken);
      const tables = reads.of(request, reply, 'symbols');
      return reads.page(reply, await readSymbols(tables, { limit: request.query.limit, after }));
    },
  );

  app.get(
    '/v1/symbols/:symbol',
    {
      config,
      schema: {
        ...shared,
        summary: 'One symbol and its rules',
        params: SymbolPath,
        querystring: SymbolQuery,
        response: { 200: views.SymbolView },
      },
    },
    async (request, reply) => {
      const { symbol } = request.params;
      const { items } = await readSymbols(reads.of(request, reply, 'symbols'), { symbol, limit: 1 });
      if (items[0]) return items[0];
      throw refused('UNKNOWN_SYMBOL', `there is no symbol ${symbol}`);
    },
  );

  app.get(
    '/v1/symbols/:symbol/depth',
    {
      config,
      schema: {
        ...shared,
        summary: 'What is wanted and offered, by price',
        description: 'Best prices first. `sequence` is the revision of the book that it shows.',
        params: SymbolPath,
        querystring: DepthQuery,
        response: { 200: views.DepthView },
      },
    },
    async (request, reply) => {
      const { symbol } = request.params;
      const { levels } = request.query;
      const { depth } = await market(request, reply, symbol, { depth: true });
      const text = depth ?? emptyDepth(symbol, 0);
      return json(reply, levels === undefined ? text : cutDepth(text, levels));
    },
  );

  app.get(
    '/v1/symbols/:symbol/ticker',
    {
      config,
      schema: {
        ...shared,
        summary: 'Last price, best bid and ask, and the day so far',
        params: SymbolPath,
        querystring: SymbolQuery,
        response: { 200: views.TickerView },
      },
    },
    async (request, reply) => json(reply, (await market(request, reply, request.params.symbol)).ticker),
  );

  app.get(
    '/v1/symbols/:symbol/trades',
    {
      config,
      schema: {
        ...shared,
        summary: 'The last trades, the newest first',
        params: SymbolPath,
        querystring: TradesQuery,
        response: { 200: z.array(views.TradeView) },
      },
    },
    async (request, reply) => {
      const { limit } = request.query;
      const { trades } = await market(request, reply, request.params.symbol, { trades: true });
      return json(
        reply,
        limit === undefined ? (trades ?? '[]') : JSON.stringify(newestTrades(trades, limit)),
      );
    },
  );

  app.get(
    '/v1/symbols/:symbol/candles',
    {
      config,
      schema: {
        ...shared,
        summary: 'Open, high, low and close by interval',
        description: `In the order of time. With \`from\` the page begins there; without, it is the newest candles. Intervals without a
trade have none.`,
        params: SymbolPath,
        querystring: CandlesQuery,
        response: { 200: views.page(views.CandleView) },
      },
    },
    async (request, reply) => {
      const { symbol } = request.params;
      const { interval, from, to, limit } = request.query;
      const tables = reads.of(request, reply, 'candles', 'symbols');
      const after = await reads.requestedPage(request, candlesToken);
      const nowMs = runtime.nowMs();
      const page = await readCandles(tables, { symbol, interval, from, to, after, limit, nowMs });
      if (page.items.length > 0) return reads.page(reply, page);
      const { items } = await readSymbols(tables, { symbol, limit: 1 });
      if (items.length === 0) throw refused('UNKNOWN_SYMBOL', `there is no symbol ${symbol}`);
      return page;
    },
  );
}
