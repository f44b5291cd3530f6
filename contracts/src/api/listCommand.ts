import { z } from 'zod';
import { ClientOrderId } from '../base/order.ts';
import { centsFromDecimal } from '../base/units.ts';

/** What a command says of the orders of a list; `price` is the schema of prices. */
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

type Asked = {
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

/** Fields that do not fit what kind of order it is to be, each with what to do. */
export function listMisfits(order: Asked): [field: string, message: string][] {
  const { order_class: kind = 'simple', take_profit: profit, stop_loss: loss } = order;
  const found: [string, string][] = [];
  const must = (holds: boolean, field: string, message: string) => {
    if (!holds) found.push([field, message]);
  };
  const listed = kind !== 'simple';
  must((profit !== undefined) === listed, 'take_profit', 'oco and bracket have take_profit, no other');
  must((loss !== undefined) === listed, 'stop_loss', 'oco and bracket have stop_loss, no other');
  if (!listed) return found;
  const { type, time_in_force: time } = order;
  must(['day', 'gtc', 'gtd'].includes(time), 'time_in_force', `an ${kind} order is day, gtc or gtd`);
  if (kind === 'bracket') {
    must(order.side === 'buy', 'side', 'a bracket begins with a buy');
    must(type === 'limit' || type === 'market', 'type', 'a bracket begins with a limit or a market order');
    must(order.notional === undefined, 'notional', 'a bracket has qty');
  } else {
    must(type === 'limit', 'type', 'the type of an oco order is limit, that of its take_profit');
    must(order.limit_price === undefined, 'limit_price', 'the limit of an oco order stands in take_profit');
    const own = ['client_order_id', 'post_only', 'min_qty', 'display_qty'] as const;
    const message = 'an oco order has none; names stand in take_profit and stop_loss';
    for (const field of own) must(!order[field], field, message);
  }
  if (!profit || !loss) return found;
  const above = (centsFromDecimal(profit.limit_price) ?? 0) - (centsFromDecimal(loss.stop_price) ?? 0);
  const sells = order.side === 'sell' || kind === 'bracket';
  const fits = sells ? above > 0 : above < 0;
  must(fits, 'stop_loss', 'stop_price is below take_profit for what sells, above it for what buys');
  return found;
}
