import {
  CATEGORIES,
  domains,
  eventData,
  PublicChannel,
  parsePosition,
  StoredClientOrderId,
  SymbolInput,
  views,
} from '@brokerx/contracts';
import { z } from 'zod';
import { statusesOf } from './orderStatuses.ts';
import { PAGE_DEFAULT, PAGE_MAX } from './paging.ts';

const { Id, Instant, PageToken, StreamName, wholeOfText: whole } = domains;

/**
 * Query and path parameters of the routes. Unknown ones are refused, so that a misspelt filter is never ignored.
 * Those that may be left out have no examples: the page of the reference would send them with every try.
 */
const position = z
  .string()
  .refine((text) => parsePosition(text) !== undefined, 'a position token: <store id>:<position>');
const minPosition = position
  .optional()
  .describe(
    'The X-BrokerX-Position of an earlier reply: the answer reflects it, or is 503 READ_MODEL_BEHIND after two seconds.',
  );
const accountId = Id.optional().describe('Another account than your own: operators and analysts only.');
const limit = (max: number, standard: number) => whole(1, max).default(standard).describe(`At most ${max}.`);
const pageToken = PageToken.optional().describe('`next` of the page before.');

/** `a,b` or given several times. */
const several = (itemsMax: number) =>
  z
    .union([z.string(), z.array(z.string())])
    .transform((given) => [given].flat().flatMap((text) => text.split(',')))
    .refine((items) => items.length <= itemsMax, `at most ${itemsMax}`);

export const WalletQuery = z.strictObject({ account_id: accountId, min_position: minPosition });
export const LedgerQuery = z.strictObject({
  account_id: accountId,
  limit: limit(PAGE_MAX, PAGE_DEFAULT),
  page_token: pageToken,
  min_position: minPosition,
});
export const HoldingsQuery = LedgerQuery.extend({ symbol: SymbolInput.optional() });
export const OrdersQuery = LedgerQuery.extend({
  status: several(20)
    .transform((words, context) => {
      const statuses = statusesOf(words);
      if (statuses) return statuses;
      context.addIssue({
        code: 'custom',
        message: 'order statuses, `open` or `closed`, separated by commas',
      });
      return z.NEVER;
    })
    .optional()
    .describe('One or several, separated by commas; `open` and `closed` stand for groups.'),
  symbol: SymbolInput.optional(),
  side: z.enum(['buy', 'sell']).optional(),
  client_order_id: StoredClientOrderId.optional(),
  list_id: Id.optional().describe('The orders of this list.'),
  after: Instant.optional().describe('Created at this time or later, such as 2026-01-05T14:30:00Z.'),
  before: Instant.optional().describe('Created before this time.'),
});
export const ExecutionsQuery = LedgerQuery.extend({
  symbol: SymbolInput.optional(),
  order_id: Id.optional(),
});
export const OrderPath = z.strictObject({ id: Id });
export const OrderQuery = z.strictObject({ min_position: minPosition });

export const ParkedEventsQuery = LedgerQuery.omit({ account_id: true });

export const SymbolsQuery = z.strictObject({
  limit: limit(PAGE_MAX, PAGE_MAX),
  page_token: pageToken,
  min_position: minPosition,
});
export const SymbolPath = z.strictObject({ symbol: SymbolInput });
export const SymbolQuery = OrderQuery;
export const DepthQuery = z.strictObject({
  levels: whole(1, 100)
    .optional()
    .describe('Price levels a side, the best ones; all that are kept when absent.'),
  min_position: minPosition,
});
export const BookQuery = z.strictObject({
  levels: whole(1, views.BOOK_LEVELS_MAX)
    .optional()
    .describe(`Price levels a side, the best ones; at most ${views.BOOK_LEVELS_MAX}.`),
  min_position: minPosition,
});
export const TradesQuery = z.strictObject({
  limit: whole(1, 100).optional().describe('The newest ones; at most 100.'),
  min_position: minPosition,
});
const CANDLES_MAX = 1_000;
export const CandlesQuery = z.strictObject({
  interval: views.CandleInterval.default('1m'),
  from: Instant.optional().describe('Candles that begin at this time or later, the oldest first.'),
  to: Instant.optional().describe('Candles that begin before this time.'),
  limit: limit(CANDLES_MAX, PAGE_MAX),
  page_token: pageToken,
  min_position: minPosition,
});

const TYPES = new Map(
  Object.keys(eventData).flatMap((type) => [
    [type, [type]],
    [
      type.split('.', 1)[0] ?? type,
      Object.keys(eventData).filter((t) => t.split('.', 1)[0] === type.split('.', 1)[0]),
    ],
  ]),
);
export const EventsQuery = z.strictObject({
  after: whole(0, Number.MAX_SAFE_INTEGER).default(0).describe('Events beyond this position.'),
  until: whole(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('The last position; the head of the store at the time of the request when absent.'),
  category: several(CATEGORIES.length)
    .refine(
      (given) => given.every((name) => CATEGORIES.some((known) => known === name)),
      CATEGORIES.join(', '),
    )
    .optional()
    .describe(`Kinds of streams: ${CATEGORIES.join(', ')}.`),
  stream: several(100)
    .pipe(z.array(StreamName))
    .optional()
    .describe('Names of streams, such as `book-AAPL`.'),
  type: several(100)
    .transform((given, context) => {
      const types = given.flatMap((name) => TYPES.get(name) ?? []);
      if (given.every((name) => TYPES.has(name))) return types;
      context.addIssue({ code: 'custom', message: 'event types, such as OrderPlaced or OrderPlaced.v1' });
      return z.NEVER;
    })
    .optional()
    .describe('Event types, such as `TradeExecuted` (every version) or `TradeExecuted.v1`.'),
  limit: whole(1, 1_000_000_000).optional().describe('Lines at most.'),
  follow: z
    .enum(['true', 'false'])
    .default('false')
    .describe('`true`: goes on with what is appended, until the client ends or the token expires.'),
  min_position: minPosition,
});

const lastEventId = whole(0, Number.MAX_SAFE_INTEGER)
  .optional()
  .describe('As the header `Last-Event-ID`: resumes behind this message.');
export const OrderStreamQuery = z.strictObject({ account_id: accountId, last_event_id: lastEventId });
export const SymbolStreamQuery = z.strictObject({ last_event_id: lastEventId });
export const ChannelPath = z.strictObject({ symbol: SymbolInput, channel: PublicChannel });
export const ChannelStreamQuery = z.strictObject({
  interval: views.CandleInterval.optional().describe('Of `candles`, and of no other channel.'),
  last_event_id: lastEventId,
});
