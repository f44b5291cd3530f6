import { z } from 'zod';
import { CandleInterval } from '../base/candle.ts';
import { Count, text, word } from '../base/domains.ts';
import { ClientOrderId, SymbolInput } from '../base/order.ts';
import { AmendOrder, CancelOrders, PlaceOrder } from './commands.ts';
import * as views from './views.ts';

/**
 * What goes over the WebSocket. A client sends requests with an id of its own and gets a reply to each; what it has
 * subscribed to comes as data. Server-sent events carry the same data under the same names.
 */
export const PublicChannel = z.enum([
  'depth',
  'book_orders',
  'trades',
  'best_prices',
  'auction',
  'ticker',
  'candles',
  'reference_price',
  'rules',
]);
export type PublicChannel = z.infer<typeof PublicChannel>;
export const Channel = z.enum([...PublicChannel.options, 'orders']);
export type Channel = z.infer<typeof Channel>;

/** Channels that resume behind a sequence: every message counts. The others tell how things stand. */
export const RESUMABLE: readonly Channel[] = ['depth', 'book_orders', 'trades', 'orders'];

/** What is sent in each channel. */
export const CHANNEL_DATA = {
  depth: views.DepthUpdate,
  book_orders: views.OrdersUpdate,
  trades: views.TradeView,
  best_prices: views.BestPricesView,
  auction: views.AuctionView,
  ticker: views.TickerView,
  candles: views.CandleView,
  reference_price: views.ReferencePriceView,
  rules: views.SymbolView,
  orders: views.OrderEventView,
} as const satisfies Record<Channel, z.ZodType>;
export type ChannelData = { [C in Channel]: z.infer<(typeof CHANNEL_DATA)[C]> };

/** Enough for every symbol of a large screen, and a bound for one message. */
export const SUBSCRIPTIONS_PER_REQUEST_MAX = 100;

const sequence = Count;
const subscriptionFields = {
  channel: Channel,
  symbol: SymbolInput.optional().describe('Of every channel but `orders`.'),
  interval: CandleInterval.optional().describe('Of `candles`, and of no other channel.'),
};
const fits = (
  given: { channel: Channel; symbol?: unknown; interval?: unknown },
  context: z.RefinementCtx,
) => {
  const refuse = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  const { channel, symbol, interval } = given;
  if ((symbol === undefined) !== (channel === 'orders')) {
    refuse('symbol', channel === 'orders' ? 'orders are those of the account' : `${channel} has a symbol`);
  }
  if ((interval !== undefined) !== (channel === 'candles')) {
    refuse('interval', 'candles have an interval, no other channel');
  }
};
export const Subscribe = z
  .strictObject({
    ...subscriptionFields,
    after: sequence
      .optional()
      .describe('The sequence of the last message that was received: resumes behind it.'),
  })
  .superRefine((given, context) => {
    fits(given, context);
    if (given.after === undefined || RESUMABLE.includes(given.channel)) return;
    const message = `${given.channel} tells how things stand: there is nothing to resume`;
    context.addIssue({ code: 'custom', path: ['after'], message });
  });
export type Subscribe = z.infer<typeof Subscribe>;
export const Unsubscribe = z.strictObject(subscriptionFields).superRefine(fits);
export type Unsubscribe = z.infer<typeof Unsubscribe>;

const some = <T extends z.ZodType>(item: T) =>
  z.strictObject({ subscriptions: z.array(item).min(1).max(SUBSCRIPTIONS_PER_REQUEST_MAX) });
const idempotencyKey = word(100).optional().meta({
  format: 'uuid',
  description: 'As the header `Idempotency-Key` of the same command over HTTP, which must be there.',
});

/** What a client may ask, each with its parameters. Orders are checked by command-api, as over HTTP. */
export const REQUESTS = {
  authenticate: z.strictObject({
    token: word(8_192).min(1).describe('The access token, without `Bearer`.'),
  }),
  ping: z.strictObject({}),
  subscribe: some(Subscribe),
  unsubscribe: some(Unsubscribe),
  place_order: z.strictObject({ idempotency_key: idempotencyKey, order: z.unknown() }),
  place_orders: z.strictObject({ orders: z.unknown() }),
  amend_order: z.strictObject({
    idempotency_key: idempotencyKey,
    order_id: z.uuid(),
    change: z.unknown(),
  }),
  cancel_order: z
    .strictObject({
      idempotency_key: idempotencyKey,
      order_id: z.uuid().optional(),
      client_order_id: ClientOrderId.optional(),
    })
    .refine(({ order_id, client_order_id }) => (order_id === undefined) !== (client_order_id === undefined), {
      path: ['order_id'],
      message: 'give order_id or client_order_id, one of the two',
    }),
  cancel_orders: z.strictObject({
    idempotency_key: idempotencyKey,
    filter: CancelOrders,
  }),
} as const;
export type Method = keyof typeof REQUESTS;
export const METHODS = Object.keys(REQUESTS) as [Method, ...Method[]];
/** What is passed on as the body of the command: for documents. */
export const ORDER_BODIES = { order: PlaceOrder, change: AmendOrder } as const;

export const RequestId = z.union([z.int(), text(64).min(1)]);
export type RequestId = z.infer<typeof RequestId>;
export const StreamRequest = z.strictObject({
  id: RequestId.describe('Comes back with the reply.'),
  method: z.enum(METHODS),
  params: z.unknown().optional().describe('As the method has them; none when absent.'),
});

const about = {
  channel: Channel,
  symbol: z.string().optional(),
  interval: CandleInterval.optional(),
};
export const StreamReply = z.object({
  type: z.literal('reply'),
  id: RequestId.nullable().describe('null: the request had none that could be read.'),
  status: z.int().optional().describe('Of a command: the status that it has over HTTP.'),
  position: z.string().optional().describe('Of a command: its `X-BrokerX-Position`.'),
  replayed: z.boolean().optional().describe('Of a command: its `Idempotent-Replayed`.'),
  result: z.unknown().optional(),
  error: views.Problem.optional().describe('Why not; exactly one of `result` and `error` is there.'),
});
export type StreamReply = z.infer<typeof StreamReply>;
/** The result of `subscribe`: where each channel stands; what comes is behind that, or behind `after`. */
export const SubscribeResult = z.object({
  subscriptions: z.array(z.object({ ...about, sequence: z.int().nullable() })),
});
export type SubscribeResult = z.infer<typeof SubscribeResult>;
export const StreamData = z.object({
  type: z.literal('data'),
  ...about,
  sequence: z.int().describe('Resume behind it with `after`, in the channels that can.'),
  data: z.unknown(),
});
export type StreamData = z.infer<typeof StreamData>;

/** Why messages are missing from a channel: fetch its snapshot, or subscribe again with `after`. */
export const ResyncReason = z.enum(['slow_consumer', 'too_old', 'unknown_sequence']);
export type ResyncReason = z.infer<typeof ResyncReason>;
export const Resync = z.object({
  type: z.literal('resync'),
  ...about,
  reason: ResyncReason,
  sequence: z.int().nullable().describe('What comes next lies behind a gap that begins after this one.'),
});
export type Resync = z.infer<typeof Resync>;
/** A subscription is over though the connection is not. */
export const Ended = z.object({
  type: z.literal('ended'),
  ...about,
  reason: z.enum(['token_expired', 'session_ended', 'unavailable']),
});
export type Ended = z.infer<typeof Ended>;
export const ServerShutdown = z.object({
  type: z.literal('serverShutdown'),
  reconnect_after_ms: z.int().describe('Connect again then; the connection is closed in a moment.'),
});
export type StreamMessage = StreamReply | StreamData | Resync | Ended | z.infer<typeof ServerShutdown>;
