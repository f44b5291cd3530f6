import { z } from 'zod';
import { MarketState } from '../base/marketState.ts';
import { Liquidity, OrderStatus, OrderType, SelfTradeMode, Side, TimeInForce } from '../base/order.ts';
import { SessionView } from '../base/tradingSession.ts';
import { level, money, quantity, time } from '../base/wire.ts';
import { ListRole } from '../events/orderList.ts';

export * from './orderEventView.ts';

/** The replies of the HTTP APIs. Money and quantities are decimal strings, times are RFC 3339 UTC. */

export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  instance: z.string().optional(),
  code: z.string(),
  errors: z.array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() })).optional(),
  request_id: z.string().optional(),
  retryable: z.boolean(),
  retry_after: z.int().optional().describe('Seconds to wait before the same request is sent again.'),
});

export const DepositView = z.object({
  id: z.string(),
  account_id: z.string(),
  amount: money,
  status: z.enum(['pending', 'settled', 'rejected']),
  reason: z.string().nullable(),
});
export const TransferView = z.object({
  id: z.string(),
  account_id: z.string(),
  amount: money.nullable(),
  symbol: z.string().nullable(),
  qty: quantity.nullable(),
});
export const AccountExemptionsView = z.object({
  account_id: z.string(),
  bands_off: z.boolean(),
  quotas_off: z.boolean(),
});

/** An order. command-api shows it as decided, query-api with everything that has happened since. */
export const OrderView = z.object({
  id: z.string(),
  client_order_id: z.string().nullable(),
  account_id: z.string(),
  symbol: z.string(),
  side: Side,
  type: OrderType,
  time_in_force: TimeInForce,
  qty: quantity.nullable().describe('Null for an order for an amount of money.'),
  notional: money.nullable().describe('What a market buy is to spend, fees aside.'),
  display_qty: quantity.nullable().describe('What an iceberg shows of itself at a time.'),
  limit_price: money.nullable(),
  protection_price: money.nullable().describe('Beyond it an order without a limit never trades.'),
  stop_price: money.nullable().describe('A trailing stop shows its first one.'),
  trail_price: money.nullable(),
  trail_percent: z.string().nullable(),
  expires_at: time.nullable(),
  status: OrderStatus,
  filled_qty: quantity,
  leaves_qty: quantity,
  filled_avg_price: money.nullable(),
  fees: money,
  post_only: z.boolean(),
  min_qty: quantity.nullable(),
  stp_mode: SelfTradeMode,
  prevented_qty: quantity.describe(
    'Taken off where it met orders of its own account: qty = filled_qty + prevented_qty + leaves_qty while it is open.',
  ),
  reason: z.string().nullable().describe('Why it was rejected or expired.'),
  list_id: z.string().nullable().describe('The list that it belongs to.'),
  list_role: ListRole.nullable().describe('What it is in its list.'),
  created_at: time,
  updated_at: time,
});
/** The reply of `POST /v1/orders`. For a list: its first order, with the others in `legs`. */
export const PlacedOrderView = OrderView.extend({
  legs: z.array(OrderView).optional().describe('The other orders of its list.'),
});
export type PlacedOrderView = z.infer<typeof PlacedOrderView>;
export type OrderView = z.infer<typeof OrderView>;

/** The result of each order of a batch, in the batch's order, as if the order had come alone. */
export const OrderResultsView = z.object({
  items: z.array(
    z.object({
      status: z.int().describe('The status that POST /v1/orders has.'),
      position: z.string().optional().describe('Its `X-BrokerX-Position`.'),
      replayed: z.boolean().optional(),
      order: PlacedOrderView.optional(),
      problem: Problem.optional().describe('Why not; exactly one of `order` and `problem` is there.'),
    }),
  ),
});
export type OrderResultsView = z.infer<typeof OrderResultsView>;

/** command-api's reply to a cancel or an amend: the request as it was recorded. */
export const OrderChangeView = z.object({
  id: z.string().describe('The order.'),
  account_id: z.string(),
  symbol: z.string(),
  status: z.enum(['pending_cancel', 'pending_replace']),
  qty: quantity.nullable().describe('The total quantity asked for; null for a cancel.'),
  limit_price: money.nullable().describe('The limit asked for; null where it stays, and for a cancel.'),
});
export const OrderCancelsView = z.object({
  items: z
    .array(
      z.object({
        id: z.string().describe('The order.'),
        symbol: z.string(),
        status: z.literal('pending_cancel'),
      }),
    )
    .describe('A result for each open order that the filters meet, by symbol, then in the order of placing.'),
  more: z
    .boolean()
    .describe(
      'It has as many as one command takes, 10,000: there may be more, which need another one with a new key.',
    ),
});
export const OrderCancelsPreviewView = z.object({
  items: z
    .array(
      z.object({
        id: z.string().describe('The order.'),
        client_order_id: z.string().nullable(),
        symbol: z.string(),
        side: Side,
        type: OrderType,
        leaves_qty: quantity.describe('What the account knows to be unfilled.'),
        limit_price: money.nullable(),
        stop_price: money.nullable(),
      }),
    )
    .describe('The orders that the cancel would answer, in the same order.'),
});
export type OrderCancelsView = z.infer<typeof OrderCancelsView>;
export type OrderCancelsPreviewView = z.infer<typeof OrderCancelsPreviewView>;
export type OrderChangeView = z.infer<typeof OrderChangeView>;

export const DeadManView = z.object({
  account_id: z.string(),
  deadline_at: time.nullable().describe('All open orders are canceled then; null: switched off.'),
});

export const KillSwitchView = z.object({
  account_id: z.string(),
  active: z.boolean(),
  by: z.enum(['owner', 'operator']).nullable().describe('Who activated it.'),
  reason: z.string().nullable(),
});

export const WalletView = z.object({
  account_id: z.string(),
  cash: money,
  held: money,
  available: money,
  kill_switch: z
    .enum(['owner', 'operator'])
    .nullable()
    .describe('Who has activated the kill switch of the account; null: nobody.'),
});
export const HoldingView = z.object({
  symbol: z.string(),
  qty: quantity,
  held: quantity,
  available: quantity,
});
/** One journal entry. Its postings sum to zero, for cash and for the shares of its symbol. */
export const LedgerEntryView = z.object({
  id: z.string(),
  account_id: z.string(),
  kind: z.string(),
  order_id: z.string().nullable(),
  symbol: z.string().nullable(),
  postings: z.array(
    z.object({
      book: z.enum(['available', 'held', 'clearing', 'fees', 'outside']),
      asset: z.string().describe('`USD` or a symbol'),
      amount: z.string(),
    }),
  ),
  created_at: time,
});
export const ExecutionView = z.object({
  id: z.string(),
  account_id: z.string(),
  order_id: z.string(),
  symbol: z.string(),
  side: Side,
  liquidity: Liquidity,
  price: money,
  qty: quantity,
  value: money,
  fee: money,
  sequence: z.int(),
  executed_at: time,
});

export const MarketWideView = z.object({
  correlation_id: z.string().describe('Of the events of all symbols.'),
  items: z.array(
    z.object({
      symbol: z.string(),
      changed: z.boolean(),
      code: z.string().nullable().describe('Why it stays as it is.'),
    }),
  ),
});

export const SymbolView = z.object({
  symbol: z.string(),
  name: z.string(),
  state: MarketState,
  tick_size: money,
  listing_price: money,
  reference_price: money,
  collar_ppm: z.int(),
  collar_ticks_min: z
    .int()
    .describe(
      'Ticks that the collar reaches to each side at least, from version 4 of the matching rules on.',
    ),
  band_ppm: z
    .int()
    .nullable()
    .describe('A trade further than this from the last one starts a volatility auction; null: none does.'),
  fee_ppm: z.int(),
  order_qty_max: quantity,
  daily_close: z.string(),
  session: SessionView.nullable().describe(
    'Its trading day; null: it trades around the clock, and `daily_close` counts.',
  ),
  clock_factor: z.int().describe('How many times as fast as ours its time passes.'),
  lot_size: quantity,
  notional_min: money.nullable(),
  notional_max: money.nullable(),
  matching_rules: z.int().describe('Version of the matching rules that its market follows.'),
  bands_off: z.boolean(),
  quotas_off: z.boolean(),
});

/** `sequence` is the revision of the symbol's book that the view reflects. */
export const DepthView = z.object({
  symbol: z.string(),
  sequence: z.int(),
  last_update_id: z.int().describe('The same as `sequence`: updates of the depth stream go on behind it.'),
  /** Bids may be at or above asks while orders gather and nothing is matched. */
  crossed: z.boolean(),
  bids: z.array(level),
  asks: z.array(level),
});
export type DepthView = z.infer<typeof DepthView>;
export const TickerView = z.object({
  symbol: z.string(),
  sequence: z.int(),
  state: MarketState,
  last_price: money.nullable(),
  bid: money.nullable(),
  bid_qty: quantity.nullable(),
  ask: money.nullable(),
  ask_qty: quantity.nullable(),
  open: money.nullable().describe('Like all that follows: of the last 24 hours, in steps of five minutes.'),
  high: money.nullable(),
  low: money.nullable(),
  change: money.nullable().describe('From `open` to `last_price`.'),
  change_percent: z.string().nullable(),
  volume: quantity,
  trades: z.int(),
  /** The result of a running call if it ended now. */
  indicative_price: money.nullable(),
  indicative_qty: quantity.nullable(),
  surplus_side: Side.nullable(),
  surplus_qty: quantity.nullable(),
});
export type TickerView = z.infer<typeof TickerView>;
export const TradeView = z.object({
  id: z.string(),
  symbol: z.string(),
  sequence: z.int(),
  price: money,
  qty: quantity,
  taker_side: Side.nullable().describe('Null in an auction: nobody took.'),
  executed_at: time,
});
export type TradeView = z.infer<typeof TradeView>;

export * from '../base/candle.ts';
export * from './marketDataViews.ts';
export * from './orderPreviewView.ts';
export * from './parkedEventView.ts';
export * from './peopleViews.ts';

/** A page of a list. Pass `next` as `page_token` to get the next page; it is null on the last one. */
export const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().nullable() });
/** One event as operators and analysts read it: a line of NDJSON. */
export const RawEventView = z.object({
  position: z.int(),
  stream: z.string(),
  revision: z.int(),
  id: z.string(),
  type: z.string(),
  time,
  actor: z.string(),
  correlation_id: z.string(),
  causation_id: z.string(),
  traceparent: z.string(),
  /** The command's Idempotency-Key and body hash, on the first event of its commit. */
  key: z.object({ id: z.string(), hash: z.string() }).optional(),
  /** Set on the last event of a commit when the same input has further outputs in the next commit. */
  more: z.literal(true).optional(),
  data: z.unknown(),
});
export type RawEventView = z.infer<typeof RawEventView>;
