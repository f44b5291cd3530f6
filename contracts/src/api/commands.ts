import { z } from 'zod';
import {
  adultBirthDate,
  CalendarDate,
  InstantUtc,
  line,
  lines,
  money,
  whole,
  word,
} from '../base/domains.ts';
import { Email, SignInEmail } from '../base/email.ts';
import { TradingPhase } from '../base/marketState.ts';
import {
  ClientOrderId,
  hasLimit,
  OrderType,
  SelfTradeMode,
  Side,
  SymbolInput,
  TimeInForce,
} from '../base/order.ts';
import { NewPassword, PASSWORD_CHARACTERS_MAX } from '../base/password.ts';
import { CLOCK_FACTOR_MAX, SessionFields, secondsOf } from '../base/tradingSession.ts';
import {
  CASH_CENTS_MAX,
  FEE_PPM_MAX,
  HOLDING_SHARES_MAX,
  ORDER_SHARES_MAX,
  PRICE_CENTS_MAX,
} from '../base/units.ts';
import { listFields, listMisfits } from './listCommand.ts';

/**
 * Bodies of the commands of the HTTP API, made of the value domains. Unknown fields are refused.
 */
export const Price = money(PRICE_CENTS_MAX);
export const Quantity = whole(ORDER_SHARES_MAX);

export const Register = z.strictObject({
  name: line(200),
  address: lines(500),
  birth_date: CalendarDate,
  email: Email,
  phone: z.string().regex(/^\+[1-9]\d{6,14}$/, 'an international number (E.164) such as +15145550123'),
  password: NewPassword,
});
export type Register = z.infer<typeof Register>;
/** Whoever registers is an adult, as this clock has it. */
export const registerBy = (nowMs: () => number) => Register.extend({ birth_date: adultBirthDate(nowMs) });

export const Verify = z.strictObject({ code: z.string().regex(/^\d{6}$/, 'the six digits of the passcode') });
export const SignIn = z.strictObject({
  email: SignInEmail,
  password: z.string().min(1).max(PASSWORD_CHARACTERS_MAX),
});

export const Deposit = z.strictObject({ amount: money(CASH_CENTS_MAX) });

export const PlaceOrder = z
  .strictObject({
    symbol: SymbolInput,
    side: Side,
    type: OrderType,
    qty: Quantity.optional().describe('Needed, except where `notional` says how much money to spend.'),
    notional: money(CASH_CENTS_MAX)
      .optional()
      .describe('Instead of `qty`, for market buys: what to spend, fees aside. It buys whole lots.'),
    display_qty: Quantity.optional().describe(
      'An iceberg shows so much of itself at a time; below `qty`, for limit orders that may rest.',
    ),
    limit_price: Price.optional().describe('Needed for `limit` and `stop_limit`, refused for the others.'),
    stop_price: Price.optional().describe('Needed for `stop` and `stop_limit`: a trade there triggers it.'),
    trail_price: Price.optional().describe('A `trailing_stop` follows the market at this distance, or at'),
    trail_percent: z
      .string()
      .regex(/^\d{1,2}(\.\d{1,4})?$/, 'a percentage with at most four decimals, below 100')
      .optional()
      .describe('this one, in percent of the price; one of the two.'),
    expires_at: InstantUtc.optional().describe('When a `gtd` order ends.'),
    time_in_force: TimeInForce.default('day').describe(
      'A market order is `ioc` or `fok`; `day` means `ioc` while the market trades. Stops are `day`, `gtc` or `gtd`. ' +
        '`opg` and `cls` are for the opening and the closing auction.',
    ),
    client_order_id: ClientOrderId.optional(),
    post_only: z
      .boolean()
      .optional()
      .describe('Refused (`WOULD_TAKE`) where it would trade at once; for limit orders that may rest.'),
    min_qty: Quantity.optional().describe(
      'Where less than this would trade at once, the order expires untouched. Tested on entry alone.',
    ),
    ...listFields(Price),
    stp_mode: SelfTradeMode.optional().describe(
      'What happens where it would trade with an order of its own account; `none` (they trade) where it is absent.',
    ),
  })
  .superRefine((order, context) => {
    for (const [field, message] of [...misfits(order), ...listMisfits(order)]) {
      context.addIssue({ code: 'custom', path: [field], message });
    }
  });
export type PlaceOrder = z.infer<typeof PlaceOrder>;

/** Their commits go out together: a few milliseconds of the account's time. */
export const ORDERS_PER_BATCH_MAX = 50;
const batchOf = <T extends z.ZodType>(order: T) =>
  z.strictObject({
    orders: z
      .array(
        z.strictObject({
          idempotency_key: word(100)
            .optional()
            .meta({ format: 'uuid', description: 'Of this order alone, as the header of POST /v1/orders.' }),
          order,
        }),
      )
      .min(1)
      .max(ORDERS_PER_BATCH_MAX),
  });
export const PlaceOrders = batchOf(PlaceOrder);
export type PlaceOrders = z.infer<typeof PlaceOrders>;
/** The same, each order still to be looked at: one that is malformed is no reason to refuse the others. */
export const OrderBatch = batchOf(z.unknown().describe('As the body of POST /v1/orders.'));

/** Fields that do not fit together, each with what to do. */
function misfits(order: {
  order_class?: 'simple' | 'oco' | 'bracket' | undefined;
  type: OrderType;
  time_in_force: TimeInForce;
  side: Side;
  qty?: string | undefined;
  notional?: string | undefined;
  display_qty?: string | undefined;
  stp_mode?: SelfTradeMode | undefined;
  limit_price?: string | undefined;
  stop_price?: string | undefined;
  trail_price?: string | undefined;
  trail_percent?: string | undefined;
  expires_at?: string | undefined;
  post_only?: boolean | undefined;
  min_qty?: string | undefined;
}): [field: string, message: string][] {
  const { type, time_in_force: time, min_qty } = order;
  const found: [string, string][] = [];
  const must = (holds: boolean, field: string, message: string) => {
    if (!holds) found.push([field, message]);
  };
  const stops = type === 'stop' || type === 'stop_limit';
  const trails = type === 'trailing_stop';
  const rests = type === 'limit' && (time === 'day' || time === 'gtc' || time === 'gtd');
  const needs = hasLimit(type)
    ? `a ${type} order needs a limit_price`
    : `a ${type} order takes no limit_price`;
  const listed = order.order_class === 'oco';
  must(listed || (order.limit_price !== undefined) === hasLimit(type), 'limit_price', needs);
  must(
    (order.stop_price !== undefined) === stops,
    'stop_price',
    'stop and stop_limit have a stop_price, no other',
  );
  const distances = Number(order.trail_price !== undefined) + Number(order.trail_percent !== undefined);
  must(
    distances === Number(trails),
    'trail_price',
    'a trailing_stop has trail_price or trail_percent, no other',
  );
  must(!trails || Number(order.trail_percent ?? 1) > 0, 'trail_percent', 'trail_percent is above 0');
  must(
    (order.expires_at !== undefined) === (time === 'gtd'),
    'expires_at',
    'gtd orders have expires_at, no other',
  );
  must(!order.post_only || rests, 'post_only', 'only a limit order that may rest can be post_only');
  const { qty, notional, display_qty } = order;
  must(qty !== undefined || notional !== undefined, 'qty', 'give qty, or notional for a market buy');
  if (notional !== undefined) {
    must(qty === undefined, 'notional', 'give qty or notional, not both');
    must(
      type === 'market' && order.side === 'buy',
      'notional',
      'only a market buy can be for an amount of money',
    );
    must(time === 'day' || time === 'ioc', 'notional', 'an order for an amount of money is ioc');
    must(min_qty === undefined, 'min_qty', 'an order for an amount of money takes no min_qty');
    must(order.stp_mode !== 'decrement', 'stp_mode', 'decrement takes off shares, and notional is money');
  }
  if (display_qty !== undefined) {
    must(rests, 'display_qty', 'only a limit order that may rest can be an iceberg');
    must(Number(display_qty) < Number(qty), 'display_qty', 'display_qty is below qty');
  }
  if (min_qty === undefined) return found;
  must(!order.post_only, 'min_qty', 'a post_only order never trades on entry, so it takes no min_qty');
  must(!stops && !trails, 'min_qty', 'a stop does not trade on entry, so it takes no min_qty');
  must(time !== 'opg' && time !== 'cls', 'min_qty', 'an order for an auction does not trade on entry');
  must(time !== 'fok', 'min_qty', 'a fok order fills whole or not at all');
  must(qty === undefined || Number(min_qty) <= Number(qty), 'min_qty', 'min_qty is at most qty');
  return found;
}

export const AmendOrder = z
  .strictObject({
    qty: Quantity.optional().describe('The new total quantity, what is filled included; absent: as it is.'),
    limit_price: Price.optional().describe('The new limit; absent: as it is.'),
  })
  .refine(({ qty, limit_price }) => qty !== undefined || limit_price !== undefined, {
    path: ['qty'],
    message: 'give a new qty, a new limit_price, or both',
  });
export type AmendOrder = z.infer<typeof AmendOrder>;

/**
 * Which orders a cancel of many takes: those that all that is given holds for. Everything is asked for by name, so that no
 * filter that was lost or misspelt on its way becomes one.
 */
export const CancelOrders = z
  .strictObject({
    all: z
      .union([z.literal(true), z.literal('true')])
      .optional()
      .describe('`true` and nothing else: every open order.'),
    symbol: SymbolInput.optional(),
    side: Side.optional(),
    price_from: Price.optional().describe(
      '`limit_price` at or above this. Stops are passed over, unless a range on their stop is given.',
    ),
    price_to: Price.optional().describe('`limit_price` at or below this.'),
    stop_from: Price.optional().describe(
      '`stop_price` at or above this: takes stops alone; of a trailing one the first.',
    ),
    stop_to: Price.optional().describe('`stop_price` at or below this.'),
  })
  .superRefine(({ all, symbol, side, ...ranges }, context) => {
    // A field that is misspelt is what is wrong, not that none is left.
    if (context.issues.length > 0) return;
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    const hasRange = Object.values(ranges).some((price) => price !== undefined);
    const narrows = hasRange || symbol !== undefined || side !== undefined;
    if (all === undefined && !narrows) refuse('all', 'say which orders, or all: true for every open one');
    if (all !== undefined && narrows) refuse('all', 'all takes no filter beside it');
    if (hasRange && symbol === undefined) refuse('symbol', 'a range of prices needs a symbol');
  });
export type CancelOrders = z.infer<typeof CancelOrders>;

/** A day: whoever wants more may renew once a day. */
const CANCEL_AFTER_SECONDS_MAX = 86_400;
export const DeadManSwitch = z.strictObject({
  cancel_after_seconds: z
    .int()
    .min(0)
    .max(CANCEL_AFTER_SECONDS_MAX)
    .describe('From now on; 0 switches it off.'),
});

export const KillSwitch = z.strictObject({
  active: z.boolean(),
  reason: line(200).optional(),
});

export const ListSymbol = z
  .strictObject({
    symbol: SymbolInput,
    name: line(100),
    listing_price: Price,
    tick_size: money(10_000).default('0.01'),
    collar_ppm: z
      .int()
      .min(1_000)
      .max(900_000)
      .default(100_000)
      .describe('Parts per million; 100000 is 10 %.'),
    collar_ticks_min: z
      .int()
      .min(1)
      .max(PRICE_CENTS_MAX)
      .optional()
      .describe('Ticks that the collar reaches to each side at least; 1 where it is absent.'),
    fee_ppm: z.int().min(0).max(FEE_PPM_MAX).default(500),
    order_qty_max: whole(ORDER_SHARES_MAX).default(String(ORDER_SHARES_MAX)),
    daily_close: z
      .string()
      .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day in UTC, HH:MM')
      .default('21:00'),
    band_ppm: z
      .int()
      .min(100)
      .max(450_000)
      .optional()
      .describe(
        'A trade further than this from the last one starts a volatility auction; absent: none does.',
      ),
    lot_size: whole(ORDER_SHARES_MAX)
      .optional()
      .describe('Quantities are multiples of it; 1 where it is absent.'),
    notional_min: money(CASH_CENTS_MAX).optional().describe('Least that price times quantity may be.'),
    notional_max: money(CASH_CENTS_MAX).optional().describe('Most that price times quantity may be.'),
  })
  .refine(({ band_ppm, collar_ppm }) => band_ppm === undefined || band_ppm < collar_ppm, {
    path: ['band_ppm'],
    message: 'the trade band is narrower than the collar: band_ppm is below collar_ppm',
  });
export type ListSymbol = z.infer<typeof ListSymbol>;

export const Halt = z.strictObject({ reason: line(200) });
export const Resume = z.strictObject({});
export const SetCalendar = z
  .strictObject({
    session: z.strictObject(SessionFields).nullable().describe('null: the market trades around the clock.'),
    clock_factor: z
      .int()
      .min(1)
      .max(CLOCK_FACTOR_MAX)
      .default(1)
      .describe('The market’s time passes so many times as fast as ours. It never goes back.'),
  })
  .superRefine(({ session }, context) => {
    if (!session) return;
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: ['session', field], message });
    const [preOpen, opens, closes] = [session.pre_open, session.opens, session.closes].map(secondsOf) as [
      number,
      number,
      number,
    ];
    if (preOpen >= opens) refuse('pre_open', 'pre_open comes before opens');
    if (opens + session.opening_call_seconds + session.random_end_seconds >= closes)
      refuse('opens', 'the opening call, and what chance adds to it, is over before closes');
    if (closes + session.closing_call_seconds + session.random_end_seconds >= DAY_SECONDS)
      refuse('closes', 'the closing call, and what chance adds to it, is over before midnight (UTC)');
  });
export type SetCalendar = z.infer<typeof SetCalendar>;
const DAY_SECONDS = 86_400;
export const BeginPhase = z.strictObject({
  phase: TradingPhase.describe(
    'What is to come. A call that runs is uncrossed by it, or taken into the closing one.',
  ),
});
export const Exemptions = z.strictObject({ bands_off: z.boolean(), quotas_off: z.boolean() });
export const CashTransfer = z.strictObject({ amount: money(CASH_CENTS_MAX) });
export const ShareTransfer = z.strictObject({ symbol: SymbolInput, qty: whole(HOLDING_SHARES_MAX) });
