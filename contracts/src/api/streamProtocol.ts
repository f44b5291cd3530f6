import { z } from 'zod';
import { CandleInterval } from '../base/candle.ts';
import { Count, text, word } from '../base/domains.ts';
import { ClientOrderId, SymbolInput } from '../base/order.ts';
import { AmendOrder, CancelOrders, PlaceOrder } from './commands.ts';
import * as views from './views.ts';

/**
 * The messages of the WebSocket. A client sends requests, each with an id of its own, and gets a reply to each. Its
 * subscriptions arrive as data messages. Server-sent events carry the same data under the same names.
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

/** Channels that can resume after a sequence, because every message counts. The others send the present state. */
export const RESUMABLE: readonly Channel[] = ['depth', 'book_orders', 'trades', 'orders'];

/** The data of each channel. */
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

/** Enough for the symbols of a large screen, and a bound on one message. */
export const SUBSCRIPTIONS_PER_REQUEST_MAX = 100;

const sequence = Count;
const subscriptionFields = {
  channel: Channel,
  symbol: SymbolInput.optional().describe('Of every channel but `orders`.'),
  interval: CandleInterval.optional().describe('Of `candles`, and of no other channel.'),
};
const checkSubscription = (
  subscription: { channel: Channel; symbol?: unknown; interval?: unknown },
  context: z.RefinementCtx,
) => {
  const refuse = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  const { channel, symbol, interval } = subscription;
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
  .superRefine((subscription, context) => {
    checkSubscription(subscription, context);
    if (subscription.after === undefined || RESUMABLE.includes(subscription.channel)) return;
    const message = `${subscription.channel} tells how things stand: there is nothing to resume`;
    context.addIssue({ code: 'custom', path: ['after'], message });
  });
export type Subscribe = z.infer<typeof Subscribe>;
export const Unsubscribe = z.strictObject(subscriptionFields).superRefine(checkSubscription);
export type Unsubscribe = z.infer<typeof Unsubscribe>;

const subscriptionsOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({ subscriptions: z.array(item).min(1).max(SUBSCRIPTIONS_PER_REQUEST_MAX) });
const idempotencyKey = word(100).optional().meta({
  format: 'uuid',
  description: 'As the header `Idempotency-Key` of the same command over HTTP, which must be there.',
});

/** The methods that a client may call, each with its parameters. command-api checks the orders, as it does over HTTP. */
export const REQUESTS = {
  authenticate: z.strictObject({
    token: word(8_192).min(1).describe('The access token, without `Bearer`.'),
  }),
  ping: z.strictObject({}),
  subscribe: subscriptionsOf(Subscribe),
  unsubscribe: subscriptionsOf(Unsubscribe),
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
/** The parameters that are passed to command-api as a command's body, for documents. */
export const ORDER_BODIES = { order: PlaceOrder, change: AmendOrder } as const;

export const RequestId = z.union([z.int(), text(64).min(1)], {
  error: 'a whole number, or text of 1 to 64 characters',
});
export type RequestId = z.infer<typeof RequestId>;
export const StreamRequest = z.strictObject({
  id: RequestId.describe('Comes back with the reply.'),
  method: z.enum(METHODS),
  params: z.unknown().optional().describe('As the method has them; none when absent.'),
});

const subject = {
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
/** The result of `subscribe`: the present sequence of each channel. Messages after it follow, or after `after` if given. */
export const SubscribeResult = z.object({
  subscriptions: z.array(z.object({ ...subject, sequence: z.int().nullable() })),
});
export type SubscribeResult = z.infer<typeof SubscribeResult>;
export const StreamData = z.object({
  type: z.literal('data'),
  ...subject,
  sequence: z.int().describe('Resume behind it with `after`, in the channels that can.'),
  data: z.unknown(),
});
export type StreamData = z.infer<typeof StreamData>;

/** Why messages of a channel are missing. The client fetches a snapshot, or subscribes again with `after`. */
export const ResyncReason = z.enum(['slow_consumer', 'too_old', 'unknown_sequence']);
export type ResyncReason = z.infer<typeof ResyncReason>;
export const Resync = z.object({
  type: z.literal('resync'),
  ...subject,
  reason: ResyncReason,
  sequence: z.int().nullable().describe('What comes next lies behind a gap that begins after this one.'),
});
export type Resync = z.infer<typeof Resync>;
/** A subscription has ended although the connection has not. */
export const Ended = z.object({
  type: z.literal('ended'),
  ...subject,
  reason: z.enum(['token_expired', 'session_ended', 'unavailable']),
});
export type Ended = z.infer<typeof Ended>;
export const ServerShutdown = z.object({
  type: z.literal('serverShutdown'),
  reconnect_after_ms: z.int().describe('Connect again then; the connection is closed in a moment.'),
});
export type StreamMessage = StreamReply | StreamData | Resync | Ended | z.infer<typeof ServerShutdown>;
