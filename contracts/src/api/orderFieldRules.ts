import {
  hasLimit,
  isStop,
  type OrderType,
  type SelfTradeMode,
  type Side,
  type TimeInForce,
} from '../base/order.ts';

/** A rule on how the fields of a request go together: whether it holds, and the field and the advice when it does not. */
export type FieldRule = [holds: boolean, field: string, advice: string];

type OrderFields = {
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
};

/** The rules on the fields of one order. Those on the fields of a list are in `listCommand.ts`. */
export function orderFieldRules(order: OrderFields): FieldRule[] {
  return [
    ...priceRules(order),
    [
      (order.expires_at !== undefined) === (order.time_in_force === 'gtd'),
      'expires_at',
      'gtd orders have expires_at, no other',
    ],
    [!order.post_only || mayRest(order), 'post_only', 'only a limit order that may rest can be post_only'],
    [
      order.qty !== undefined || order.notional !== undefined,
      'qty',
      'give qty, or notional for a market buy',
    ],
    ...(order.notional === undefined ? [] : notionalRules(order)),
    ...(order.display_qty === undefined ? [] : icebergRules(order)),
    ...(order.min_qty === undefined ? [] : minimumRules(order)),
  ];
}

function priceRules({ type, ...order }: OrderFields): FieldRule[] {
  const hasStopPrice = type === 'stop' || type === 'stop_limit';
  const trails = type === 'trailing_stop';
  const distances = Number(order.trail_price !== undefined) + Number(order.trail_percent !== undefined);
  return [
    [
      order.order_class === 'oco' || (order.limit_price !== undefined) === hasLimit(type),
      'limit_price',
      hasLimit(type) ? `a ${type} order needs a limit_price` : `a ${type} order takes no limit_price`,
    ],
    [
      (order.stop_price !== undefined) === hasStopPrice,
      'stop_price',
      'stop and stop_limit have a stop_price, no other',
    ],
    [
      distances === Number(trails),
      'trail_price',
      'a trailing_stop has trail_price or trail_percent, no other',
    ],
    [!trails || Number(order.trail_percent ?? 1) > 0, 'trail_percent', 'trail_percent is above 0'],
  ];
}

function notionalRules({
  type,
  side,
  qty,
  time_in_force: time,
  min_qty,
  stp_mode,
}: OrderFields): FieldRule[] {
  return [
    [qty === undefined, 'notional', 'give qty or notional, not both'],
    [type === 'market' && side === 'buy', 'notional', 'only a market buy can be for an amount of money'],
    [time === 'day' || time === 'ioc', 'notional', 'an order for an amount of money is ioc'],
    [min_qty === undefined, 'min_qty', 'an order for an amount of money takes no min_qty'],
    [stp_mode !== 'decrement', 'stp_mode', 'decrement takes off shares, and notional is money'],
  ];
}

function icebergRules(order: OrderFields): FieldRule[] {
  return [
    [mayRest(order), 'display_qty', 'only a limit order that may rest can be an iceberg'],
    [Number(order.display_qty) < Number(order.qty), 'display_qty', 'display_qty is below qty'],
  ];
}

function minimumRules({ type, time_in_force: time, qty, min_qty, post_only }: OrderFields): FieldRule[] {
  return [
    [!post_only, 'min_qty', 'a post_only order never trades on entry, so it takes no min_qty'],
    [!isStop(type), 'min_qty', 'a stop does not trade on entry, so it takes no min_qty'],
    [time !== 'opg' && time !== 'cls', 'min_qty', 'an order for an auction does not trade on entry'],
    [time !== 'fok', 'min_qty', 'a fok order fills whole or not at all'],
    [qty === undefined || Number(min_qty) <= Number(qty), 'min_qty', 'min_qty is at most qty'],
  ];
}

const mayRest = ({ type, time_in_force: time }: OrderFields): boolean =>
  type === 'limit' && (time === 'day' || time === 'gtc' || time === 'gtd');
