import { centsFromDecimal, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra/http/http.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BookQuery, SymbolPath, SymbolQuery } from '../http/parameters.ts';
import { refused } from '../http/problems.ts';
import type { LiveEvents } from '../live/liveEvents.ts';
import { MARKET_DATA, type MarketLookFrom, marketLook } from '../market/marketData.ts';
import { referencePrice } from '../market/referencePrice.ts';
import { readSymbols } from '../market/symbols.ts';
import { POSITION_REPLY_HEADERS, PositionHeaders, type Reading } from '../reading/reading.ts';
import type { FollowedBook } from './followedBook.ts';
import { PUBLIC_BOOKS, type PublicBooks } from './publicBooks.ts';

type BookRequest = FastifyRequest & { params: { symbol: string } };
type BookDeps = MarketLookFrom & { books: PublicBooks; live: Pick<LiveEvents, 'position'> };

/** Snapshots of the public book, to begin a local one with, and what its prices are measured by. */
export function bookRoutes(app: Http, deps: BookDeps, reads: Reading): void {
  const { books, live } = deps;
  const shared = { tags: ['Market'], headers: PositionHeaders };
  const config = { auth: 'public', replyHeaders: POSITION_REPLY_HEADERS } as const;
  /** The book is opened first: only what is followed is heard to come as far as is asked for. */
  const looked = async <T>(request: BookRequest, reply: FastifyReply, look: (book: FollowedBook) => T) => {
    const { book, leave } = await books.use(request.params.symbol);
    try {
      const now = async () => ({ position: live.position(), seen: look(book) });
      return await reads.look(request, reply, PUBLIC_BOOKS, now);
    } finally {
      leave();
    }
  };

  app.get(
    '/v1/symbols/:symbol/book',
    {
      config,
      schema: {
        ...shared,
        summary: 'The whole book by price, to begin a local one with',
        description: `Begin with the \`depth\` channel, keep its updates, and ask for this: an older snapshot than the first update's \`U\` less
one is to be asked for again; updates with \`u\` at or below \`last_update_id\` are dropped; the first that is applied covers \`last_update_id\` + 1.`,
        params: SymbolPath,
        querystring: BookQuery,
        response: { 200: views.BookView },
      },
    },
    async (request, reply) => looked(request, reply, (book) => book.view(request.query.levels)),
  );

  app.get(
    '/v1/symbols/:symbol/book/orders',
    {
      config,
      schema: {
        ...shared,
        summary: 'The book order by order',
        description: `Best price first, and at one price the order that came first. \`book_orders\` updates go on behind \`last_update_id\`,
as those of \`depth\` do.`,
        params: SymbolPath,
        querystring: SymbolQuery,
        response: { 200: views.BookOrdersView },
      },
    },
    async (request, reply) => looked(request, reply, (book) => book.ordersView()),
  );

  app.get(
    '/v1/symbols/:symbol/reference-price',
    {
      config,
      schema: {
        ...shared,
        summary: 'What prices are measured by',
        params: SymbolPath,
        querystring: SymbolQuery,
        response: { 200: views.ReferencePriceView },
      },
    },
    async (request, reply) => {
      const { symbol } = request.params;
      const { items } = await readSymbols(reads.of(request, reply, 'symbols'), { symbol, limit: 1 });
      if (!items[0]) throw refused('UNKNOWN_SYMBOL', `there is no symbol ${symbol}`);
      const market = await reads.look(request, reply, MARKET_DATA, marketLook(deps, symbol, {}));
      const ticker = market.state === 'found' ? (JSON.parse(market.ticker) as views.TickerView) : null;
      const last = ticker?.last_price ?? null;
      return referencePrice(items[0], last === null ? null : (centsFromDecimal(last) ?? null));
    },
  );
}
