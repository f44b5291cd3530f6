import { centsFromDecimal, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra/http/http.ts';
import { BookQuery, SymbolPath, SymbolQuery } from '../http/parameters.ts';
import { refused } from '../http/problems.ts';
import { MARKET_DATA, type MarketLookFrom, marketLook } from '../market/marketData.ts';
import { referencePrice } from '../market/referencePrice.ts';
import { readSymbols } from '../market/symbols.ts';
import { POSITION_REPLY_HEADERS, PositionHeaders, type Reading } from '../reading/reading.ts';
import type { FollowedBook } from './followedBook.ts';
import type { PublicBooks } from './publicBooks.ts';

/** Snapshots of the public book, to begin a local one with, and what its prices are measured by. */
export function bookRoutes(app: Http, deps: MarketLookFrom & { books: PublicBooks }, reads: Reading): void {
  const { books } = deps;
  const shared = { tags: ['Market'] };
  const config = { auth: 'public', replyHeaders: POSITION_REPLY_HEADERS } as const;
  const looked = async <T>(symbol: string, look: (book: FollowedBook) => T) => {
    const { book, leave } = await books.use(symbol);
    const seen = look(book);
    leave();
    return { seen, position: book.position() };
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
    async ({ params: { symbol }, query: { levels } }, reply) => {
      const { seen, position } = await looked(symbol, (book) => book.view(levels));
      reads.tell(reply, position);
      return seen;
    },
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
        response: { 200: views.BookOrdersView },
      },
    },
    async ({ params: { symbol } }, reply) => {
      const { seen, position } = await looked(symbol, (book) => book.ordersView());
      reads.tell(reply, position);
      return seen;
    },
  );

  app.get(
    '/v1/symbols/:symbol/reference-price',
    {
      config,
      schema: {
        ...shared,
        headers: PositionHeaders,
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
