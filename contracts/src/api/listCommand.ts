import { z } from 'zod';
import { ClientOrderId } from '../base/order.ts';
import { centsFromDecimal } from '../base/units.ts';
import type { FieldRule } from './orderFieldRules.ts';

/** The fields of a command that make its order a list; `price` is the schema of prices. */
export const listFields = (price: z.ZodString) => ({
  order_class: z
    .enum(['simple', 'oco', 'bracket'])
    .optional()
    .describe(
      '`oco`: take_profit and stop_loss, of which one fills; `bracket`: a buy, and these two for what it has bought; `simple` where it is absent.',
    ),
  take_profit: z
    .strictObject({ limit_price: price, client_order_id: ClientOrderId.optional() })
    .optional()
    .describe('A limit order beyond the market.'),
  stop_loss: z
    .strictObject({
      stop_price: price,
      limit_price: price.optional().describe('With it, a `stop_limit`; without, a `stop`.'),
      client_order_id: ClientOrderId.optional(),
    })
    .optional()
    .describe('A stop on the other side of the market.'),
});

type ListRequest = {
  order_class?: 'simple' | 'oco' | 'bracket' | undefined;
  side: 'buy' | 'sell';
  type: string;
  time_in_force: string;
  limit_price?: string | undefined;
  notional?: string | undefined;
  client_order_id?: string | undefined;
  post_only?: boolean | undefined;
  min_qty?: string | undefined;
  display_qty?: string | undefined;
  take_profit?: { limit_price: string } | undefined;
  stop_loss?: { stop_price: string } | undefined;
};

/** The rules on the fields of a list, and on an order that is none. */
export function listFieldRules(order: ListRequest): FieldRule[] {
  const { order_class: kind = 'simple', take_profit: profit, stop_loss: loss, time_in_force: time } = order;
  const isList = kind !== 'simple';
  const legs: FieldRule[] = [
    [(profit !== undefined) === isList, 'take_profit', 'oco and bracket have take_profit, no other'],
    [(loss !== undefined) === isList, 'stop_loss', 'oco and bracket have stop_loss, no other'],
  ];
  if (!isList) return legs;
  return [
    ...legs,
    [['day', 'gtc', 'gtd'].includes(time), 'time_in_force', `an ${kind} order is day, gtc or gtd`],
    ...(kind === 'bracket' ? bracketRules(order) : ocoRules(order)),
    ...(profit && loss ? [pricesRule(order, profit.limit_price, loss.stop_price)] : []),
  ];
}

function bracketRules({ side, type, notional }: ListRequest): FieldRule[] {
  return [
    [side === 'buy', 'side', 'a bracket begins with a buy'],
    [type === 'limit' || type === 'market', 'type', 'a bracket begins with a limit or a market order'],
    [notional === undefined, 'notional', 'a bracket has qty'],
  ];
}

function ocoRules(order: ListRequest): FieldRule[] {
  const legFields = ['client_order_id', 'post_only', 'min_qty', 'display_qty'] as const;
  const message = 'an oco order has none; names stand in take_profit and stop_loss';
  return [
    [order.type === 'limit', 'type', 'the type of an oco order is limit, that of its take_profit'],
    [order.limit_price === undefined, 'limit_price', 'the limit of an oco order stands in take_profit'],
    ...legFields.map((field): FieldRule => [!order[field], field, message]),
  ];
}

function pricesRule({ side, order_class }: ListRequest, profitPrice: string, stopPrice: string): FieldRule {
  const difference = (centsFromDecimal(profitPrice) ?? 0) - (centsFromDecimal(stopPrice) ?? 0);
  const sells = side === 'sell' || order_class === 'bracket';
  return [
    sells ? difference > 0 : difference < 0,
    'stop_loss',
    'stop_price is below take_profit for what sells, above it for what buys',
  ];
}
