import { z } from 'zod';
import { ClientOrderId } from './order.ts';
import { centsFromDecimal } from './units.ts';

/** What a command says of the orders of a list; `price` is the schema of prices. */
export const listFields = (price: z.ZodString) => ({
  order_class: z
    .enum(['simple', 'oco'])
    .optional()
    .describe('`oco`: take_profit and stop_loss, of which one fills; `simple` where it is absent.'),
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

type Asked = {
  order_class?: 'simple' | 'oco' | undefined;
  side: 'buy' | 'sell';
  type: string;
  time_in_force: string;
  limit_price?: string | undefined;
  client_order_id?: string | undefined;
  post_only?: boolean | undefined;
  min_qty?: string | undefined;
  display_qty?: string | undefined;
  take_profit?: { limit_price: string } | undefined;
  stop_loss?: { stop_price: string } | undefined;
};

/** Fields that do not fit what kind of order it is to be, each with what to do. */
export function listMisfits(order: Asked): [field: string, message: string][] {
  const { order_class: kind = 'simple', take_profit: profit, stop_loss: loss } = order;
  const found: [string, string][] = [];
  const must = (holds: boolean, field: string, message: string) => {
    if (!holds) found.push([field, message]);
  };
  const listed = kind !== 'simple';
  must((profit !== undefined) === listed, 'take_profit', 'an oco order has take_profit, a simple one not');
  must((loss !== undefined) === listed, 'stop_loss', 'an oco order has stop_loss, a simple one not');
  if (!listed) return found;
  const { type, time_in_force: time } = order;
  must(type === 'limit', 'type', 'the type of an oco order is limit, that of its take_profit');
  must(order.limit_price === undefined, 'limit_price', 'the limit of an oco order stands in take_profit');
  must(time !== 'ioc' && time !== 'fok', 'time_in_force', 'an oco order is day, gtc or gtd');
  const own = ['client_order_id', 'post_only', 'min_qty', 'display_qty'] as const;
  const message = 'an oco order has none; names stand in take_profit and stop_loss';
  for (const field of own) must(!order[field], field, message);
  if (!profit || !loss) return found;
  const above = (centsFromDecimal(profit.limit_price) ?? 0) - (centsFromDecimal(loss.stop_price) ?? 0);
  const fits = order.side === 'sell' ? above > 0 : above < 0;
  must(fits, 'stop_loss', 'stop_price is below take_profit for a sell, above it for a buy');
  return found;
}
