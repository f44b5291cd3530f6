import { ORDER_COLUMNS, orderView, type StoredOrder, selectedColumns, type views } from '@brokerx/contracts';
import { safeInteger } from '@brokerx/infra';
import { keyOfToken, type Page, pageOf } from '../http/paging.ts';
import type { Rows } from '../reading/readDatabase.ts';
import { statement } from '../reading/statement.ts';

/** The filters of a list of orders: an order must meet all that the request has. */
export type OrdersQuery = {
  accountId: string;
  statuses?: readonly string[] | undefined;
  symbol?: string | undefined;
  side?: string | undefined;
  clientOrderId?: string | undefined;
  listId?: string | undefined;
  /** RFC 3339; orders created at this time are included. */
  createdFrom?: string | undefined;
  /** RFC 3339; orders created at this time are left out. */
  createdBefore?: string | undefined;
  /** Names the last order of the previous page as `position.order_id`, since the orders of a list share a position. */
  before?: string | undefined;
  limit: number;
};

export function ordersToken(token: string): string | undefined {
  const key = keyOfToken('orders', token);
  return key !== undefined && PLACE.test(key) ? key : undefined;
}
const PLACE = /^\d{1,15}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A list shows no events, whose positions are the largest column. */
type ListedOrder = Omit<StoredOrder, 'eventPositions'>;
const COLUMNS = selectedColumns(Object.keys(ORDER_COLUMNS).filter((name) => name !== 'eventPositions'));

/** Reads a page of orders, newest first. */
export async function readOrders(tables: Rows, query: OrdersQuery): Promise<Page<views.OrderView>> {
  const rows = await tables.query<ListedOrder>(
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
        // The first condition lets the index find the place; the second cuts inside that position.
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
  return pageOf('orders', query.limit, rows, (row) => `${row.position}.${row.orderId}`, orderView);
}

/** Reads an order of any account: the caller decides who may see it. */
export async function readOrder(
  tables: Rows,
  orderId: string,
): Promise<{ order: views.OrderView; eventPositions: number[] } | undefined> {
  const text = `select ${COLUMNS}, event_positions as "eventPositions" from read.orders where order_id = $1`;
  const [row] = await tables.query<StoredOrder>({ name: 'order', text, values: [orderId] });
  return row && { order: orderView(row), eventPositions: row.eventPositions.map(safeInteger) };
}
