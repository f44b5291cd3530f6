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

/** Routes for snapshots of the public book, with which clients begin a local copy, and for its reference prices. */
export function bookRoutes(app: Http, deps: BookDeps, reads: Reading): void {
  const { books, live } = deps;
  const shared = { tags: ['Market'], headers: PositionHeaders };
  const config = { auth: 'public', replyHeaders: POSITION_REPLY_HEADERS } as const;
  /** Opens the book before it waits for `min_position`: only a followed book announces positions. */
  const readBook = async <T>(request: BookRequest, reply: FastifyReply, look: (book: FollowedBook) => T) => {
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
    async (request, reply) => readBook(request, reply, (book) => book.view(request.query.levels)),
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
    async (request, reply) => readBook(request, reply, (book) => book.ordersView()),
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
