import { averagePriceDecimal, decimalFromCents, percentFromPpm, type views } from '@brokerx/contracts';
import { safeInteger } from '@brokerx/infra';
import { keyOfToken, type Page, pageOf } from '../http/paging.ts';
import type { Rows } from '../reading/readDatabase.ts';
import { statement } from '../reading/statement.ts';

/** What a list of orders may be narrowed by; all that is given must hold. */
export type OrdersQuery = {
  accountId: string;
  statuses?: readonly string[] | undefined;
  symbol?: string | undefined;
  side?: string | undefined;
  clientOrderId?: string | undefined;
  listId?: string | undefined;
  /** RFC 3339: created at or after, and before. */
  createdFrom?: string | undefined;
  createdBefore?: string | undefined;
  /** The last order of the page before: `position.order_id`, since the orders of a list share a position. */
  before?: string | undefined;
  limit: number;
};

export function ordersToken(token: string): string | undefined {
  const key = keyOfToken('orders', token);
  return key !== undefined && PLACE.test(key) ? key : undefined;
}
const PLACE = /^\d{1,15}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The newest first. */
export async function readOrders(tables: Rows, query: OrdersQuery): Promise<Page<views.OrderView>> {
  const rows = await tables.query<Row>(
    statement({
      name: 'orders',
      select: `select ${COLUMNS} from read.orders`,
      conditions: [
        { name: 'a', sql: 'account_id = ?', value: query.accountId },
        { name: 'st', sql: 'status = any (?::text[])', value: query.statuses },
        { name: 'sy', sql: 'symbol = ?', value: query.symbol },
        { name: 'si', sql: 'side = ?', value: query.side },
        { name: 'co', sql: 'client_order_id = ?', value: query.clientOrderId },
        { name: 'li', sql: 'list_id = ?', value: query.listId },
        { name: 'cf', sql: 'created_at >= ?::timestamptz', value: query.createdFrom },
        { name: 'cb', sql: 'created_at < ?::timestamptz', value: query.createdBefore },
        // The first half finds the place by the index.
        {
          name: 'b',
          sql: `position <= split_part(?, '.', 1)::bigint
            and (position, order_id) < (split_part(?, '.', 1)::bigint, split_part(?, '.', 2)::uuid)`,
          value: query.before,
        },
      ],
      orderBy: 'position desc, order_id desc',
      limit: query.limit + 1,
    }),
  );
  return pageOf('orders', query.limit, rows, (row) => `${row.position}.${row.order_id}`, orderView);
}

/** Whoever's order it is: the caller decides who may see it. */
export async function readOrder(
  tables: Rows,
  orderId: string,
): Promise<{ order: views.OrderView; eventPositions: number[] } | undefined> {
  const text = `select ${COLUMNS}, event_positions from read.orders where order_id = $1`;
  const [row] = await tables.query<Row & { event_positions: string[] }>({
    name: 'order',
    text,
    values: [orderId],
  });
  return row && { order: orderView(row), eventPositions: row.event_positions.map(safeInteger) };
}

function orderView(row: Row): views.OrderView {
  const filled = safeInteger(row.filled_quantity);
  return {
    id: row.order_id,
    client_order_id: row.client_order_id,
    account_id: row.account_id,
    symbol: row.symbol,
    side: row.side,
    type: row.type,
    time_in_force: row.time_in_force,
    qty: row.notional_cents === null ? row.quantity : null,
    notional: moneyOrNull(row.notional_cents),
    display_qty: row.display_quantity,
    limit_price: moneyOrNull(row.limit_cents),
    protection_price: moneyOrNull(row.protection_cents),
    stop_price: moneyOrNull(row.stop_cents),
    trail_price: moneyOrNull(row.trail_cents),
    trail_percent: row.trail_ppm === null ? null : percentFromPpm(safeInteger(row.trail_ppm)),
    expires_at: row.expires_at?.toISOString() ?? null,
    status: row.status,
    filled_qty: row.filled_quantity,
    leaves_qty: row.leaves_quantity,
    filled_avg_price: averagePriceDecimal(safeInteger(row.filled_value_cents), filled),
    fees: decimalFromCents(safeInteger(row.fees_cents)),
    post_only: row.post_only,
    min_qty: row.min_quantity,
    stp_mode: row.self_trade,
    prevented_qty: row.prevented_quantity,
    reason: row.reason,
    list_id: row.list_id,
    list_role: row.list_role,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

const moneyOrNull = (cents: string | null): string | null =>
  cents === null ? null : decimalFromCents(safeInteger(cents));

const COLUMNS = `order_id, client_order_id, account_id, symbol, side, type, time_in_force, quantity, limit_cents,
  protection_cents, status, filled_quantity, filled_value_cents, fees_cents, leaves_quantity, reason, created_at,
  updated_at, position, post_only, min_quantity, self_trade, prevented_quantity,
  stop_cents, trail_cents, trail_ppm, expires_at, display_quantity, notional_cents,
  list_id, list_role`;

/** As the driver gives it: whole numbers of 64 bits come as text. */
export type Row = {
  order_id: string;
  client_order_id: string | null;
  account_id: string;
  symbol: string;
  side: views.OrderView['side'];
  type: views.OrderView['type'];
  time_in_force: views.OrderView['time_in_force'];
  quantity: string;
  limit_cents: string | null;
  protection_cents: string | null;
  status: views.OrderView['status'];
  filled_quantity: string;
  filled_value_cents: string;
  fees_cents: string;
  leaves_quantity: string;
  reason: string | null;
  created_at: Date;
  updated_at: Date;
  position: string;
  post_only: boolean;
  min_quantity: string | null;
  self_trade: views.OrderView['stp_mode'];
  prevented_quantity: string;
  stop_cents: string | null;
  trail_cents: string | null;
  trail_ppm: string | null;
  expires_at: Date | null;
  display_quantity: string | null;
  notional_cents: string | null;
  list_id: string | null;
  list_role: views.OrderView['list_role'];
};
