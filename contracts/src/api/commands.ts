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
import { FEE_PPM_MAX } from '../base/fee.ts';
import { TradingPhase } from '../base/marketState.ts';
import { ClientOrderId, OrderType, SelfTradeMode, Side, SymbolInput, TimeInForce } from '../base/order.ts';
import { NewPassword, PASSWORD_CHARACTERS_MAX } from '../base/password.ts';
import { CLOCK_FACTOR_MAX, SessionFields, secondsOf } from '../base/tradingSession.ts';
import { CASH_CENTS_MAX, HOLDING_SHARES_MAX, ORDER_SHARES_MAX, PRICE_CENTS_MAX } from '../base/units.ts';
import { listFieldRules, listFields } from './listCommand.ts';
import { orderFieldRules } from './orderFieldRules.ts';

/** Bodies of the HTTP API's commands, made of the value domains. Unknown fields are refused. */
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
/** The same, and whoever registers is an adult by this clock. */
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
    for (const [holds, field, message] of [...orderFieldRules(order), ...listFieldRules(order)]) {
      if (!holds) context.addIssue({ code: 'custom', path: [field], message });
    }
  });
export type PlaceOrder = z.infer<typeof PlaceOrder>;

/** The commits of a batch are appended together, which takes a few milliseconds of the account's time. */
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
/** A batch whose orders are not parsed yet: a malformed order is no reason to refuse the others. */
export const OrderBatch = batchOf(z.unknown().describe('As the body of POST /v1/orders.'));

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
 * The filter of a command that cancels many orders: it cancels those that match every given field. To cancel all, the
 * client must say so, so that a filter that was lost or misspelt never becomes "all".
 */
export const CancelOrders = z
  .strictObject({
    all: z
      .union([z.literal(true), z.literal('true')], {
        error: 'true and nothing else: leave it out, or ask for all',
      })
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
    // A misspelt field has been reported already; "no filter" would hide that.
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

/** One day. A client that wants longer renews once a day. */
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
