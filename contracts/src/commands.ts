import { z } from 'zod';
import { ClientOrderId, OrderType, SelfTradeMode, Side, SymbolName, TimeInForce } from './order.ts';
import {
  CASH_CENTS_MAX,
  centsFromDecimal,
  decimalFromCents,
  FEE_PPM_MAX,
  HOLDING_SHARES_MAX,
  ORDER_SHARES_MAX,
  PRICE_CENTS_MAX,
  sharesFromDecimal,
} from './units.ts';

/**
 * Bodies of the commands of the HTTP API. Unknown fields are refused; money and quantities are decimal strings, so
 * that no client's floating point stands between what was meant and what is booked.
 */
const money = (maxCents: number) =>
  z
    .string()
    .refine(
      (text) => {
        const value = centsFromDecimal(text);
        return value !== undefined && value > 0 && value <= maxCents;
      },
      `a decimal string with at most two decimals, above 0 and at most ${decimalFromCents(maxCents)}`,
    )
    .meta({ pattern: '^(0|[1-9]\\d{0,12})(\\.\\d{1,2})?$', examples: ['150.25'] });
const whole = (max: number, min = 1) =>
  z
    .string()
    .refine((text) => {
      const value = sharesFromDecimal(text);
      return value !== undefined && value >= min && value <= max;
    }, `a whole number as a string, from ${min} to ${max}`)
    .meta({ pattern: '^(0|[1-9]\\d{0,12})$', examples: ['10'] });

export const Price = money(PRICE_CENTS_MAX);
export const Quantity = whole(ORDER_SHARES_MAX);

export const Register = z.strictObject({
  name: z.string().trim().min(1).max(200),
  address: z.string().trim().min(1).max(500),
  birth_date: z.iso.date(),
  email: z.email().max(254),
  phone: z.string().regex(/^\+[1-9]\d{6,14}$/, 'an international number (E.164) such as +15145550123'),
  /** NIST SP 800-63B: length matters, composition rules do not. */
  password: z.string().min(12).max(256),
});
export type Register = z.infer<typeof Register>;

export const Verify = z.strictObject({ code: z.string().regex(/^\d{6}$/, 'the six digits of the passcode') });
export const SignIn = z.strictObject({ email: z.email().max(254), password: z.string().min(1).max(256) });

export const Deposit = z.strictObject({ amount: money(CASH_CENTS_MAX) });

export const PlaceOrder = z
  .strictObject({
    symbol: SymbolName,
    side: Side,
    type: OrderType,
    qty: Quantity,
    limit_price: Price.optional().describe('Needed for a limit order, refused for a market order.'),
    time_in_force: TimeInForce.default('day').describe(
      'A market order is `ioc` or `fok`; `day` means `ioc` there.',
    ),
    client_order_id: ClientOrderId.optional(),
    post_only: z
      .boolean()
      .optional()
      .describe('Refused (`WOULD_TAKE`) where it would trade at once; for limit orders that may rest.'),
    min_qty: Quantity.optional().describe(
      'Where less than this would trade at once, the order expires untouched. Tested on entry alone.',
    ),
    stp_mode: SelfTradeMode.optional().describe(
      'What happens where it would trade with an order of its own account; `none` (they trade) where it is absent.',
    ),
  })
  .superRefine((order, context) => {
    const wrong = (field: keyof typeof order, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (order.type === 'limit' && order.limit_price === undefined) {
      wrong('limit_price', 'a limit order needs a limit_price');
    }
    if (order.type === 'market' && order.limit_price !== undefined) {
      wrong('limit_price', 'a market order takes no limit_price');
    }
    const rests = order.type !== 'market' && order.time_in_force !== 'ioc' && order.time_in_force !== 'fok';
    if (order.post_only && !rests) wrong('post_only', 'only a limit order that may rest can be post_only');
    if (order.min_qty === undefined) return;
    if (order.post_only) wrong('min_qty', 'a post_only order never trades on entry, so it takes no min_qty');
    if (order.time_in_force === 'fok') wrong('min_qty', 'a fok order fills whole or not at all');
    if (Number(order.min_qty) > Number(order.qty)) wrong('min_qty', 'min_qty is at most qty');
  });
export type PlaceOrder = z.infer<typeof PlaceOrder>;

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

/** What a cancel of many orders is narrowed by; all that is given must hold. */
export const CancelOrders = z
  .strictObject({
    symbol: SymbolName.optional(),
    side: Side.optional(),
    price_from: Price.optional().describe('Limit at or above this.'),
    price_to: Price.optional().describe('Limit at or below this.'),
  })
  .refine(({ price_from, price_to, symbol }) => symbol || (!price_from && !price_to), {
    path: ['symbol'],
    message: 'a range of prices needs a symbol',
  });
export type CancelOrders = z.infer<typeof CancelOrders>;

export const ListSymbol = z.strictObject({
  symbol: SymbolName,
  name: z.string().trim().min(1).max(100),
  listing_price: Price,
  tick_size: money(10_000).default('0.01'),
  collar_ppm: z.int().min(1_000).max(900_000).default(100_000).describe('Parts per million; 100000 is 10 %.'),
  fee_ppm: z.int().min(0).max(FEE_PPM_MAX).default(500),
  order_qty_max: whole(ORDER_SHARES_MAX).default(String(ORDER_SHARES_MAX)),
  daily_close: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day in UTC, HH:MM')
    .default('21:00'),
  lot_size: whole(ORDER_SHARES_MAX)
    .optional()
    .describe('Quantities are multiples of it; 1 where it is absent.'),
  notional_min: money(CASH_CENTS_MAX).optional().describe('Least that price times quantity may be.'),
  notional_max: money(CASH_CENTS_MAX).optional().describe('Most that price times quantity may be.'),
});
export type ListSymbol = z.infer<typeof ListSymbol>;

export const Halt = z.strictObject({ reason: z.string().trim().min(1).max(200) });
export const Resume = z.strictObject({});
export const Exemptions = z.strictObject({ bands_off: z.boolean(), quotas_off: z.boolean() });
export const CashTransfer = z.strictObject({ amount: money(CASH_CENTS_MAX) });
export const ShareTransfer = z.strictObject({ symbol: SymbolName, qty: whole(HOLDING_SHARES_MAX) });
