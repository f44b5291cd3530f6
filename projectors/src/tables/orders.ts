import assert from 'node:assert/strict';
import type { Event, OrderStatus } from '@brokerx/contracts';
import { type Recorded, safeInteger } from '@brokerx/infra';
import { LRUCache } from 'lru-cache';
import { type Cell, column, columns, instantOrNull } from '../run/columns.ts';
import type { Database, TableProjection } from '../run/projection.ts';
import { begins, evolveRow, type OrderRow, openRows, ordersOf } from './order.ts';

/**
 * Orders: the one projection whose fold needs the row as it is. Rows written lately are remembered, since an order's
 * events come in close succession; others are read. The runner's compare-and-set of the cursor proves at the
 * end that what was read or remembered was the latest.
 */
export function orders(): TableProjection {
  const known = new LRUCache<string, OrderRow>({ max: ROWS_REMEMBERED_MAX });
  return {
    name: 'orders',
    version: 1,
    tables: ['read.orders_v1'],
    categories: ['account', 'book'],
    onFailure: 'park',
    async fold(events, db) {
      const before = new Map<string, OrderRow>();
      const missing = new Set<string>();
      for (const { event } of events) {
        if (begins(event)) continue;
        for (const id of ordersOf(event)) {
          const row = known.get(id);
          if (row) before.set(id, row);
          else missing.add(id);
        }
      }
      for (const row of await readRows(db, [...missing])) before.set(row.orderId, row);
      const { added, changed } = foldOrders(before, events);
      return {
        write: async (within) => {
          await Promise.all([insertRows(within, added), updateRows(within, changed)]);
        },
        committed() {
          for (const row of added) known.set(row.orderId, row);
          for (const row of changed) known.set(row.orderId, row);
        },
      };
    },
    forget: () => known.clear(),
  };
}

/** Some 10 MB; a batch that is larger only reads more. */
const ROWS_REMEMBERED_MAX = 20_000;

/** The rows that a batch adds and changes; `before` has every earlier order that the batch is about, and is left as it is. */
export function foldOrders(
  before: ReadonlyMap<string, OrderRow>,
  events: readonly Recorded<Event>[],
): { added: OrderRow[]; changed: OrderRow[] } {
  const added = new Map<string, OrderRow>();
  const changed = new Map<string, OrderRow>();
  for (const recorded of events) {
    if (begins(recorded.event)) {
      for (const row of openRows(recorded)) {
        assert(!added.has(row.orderId) && !before.has(row.orderId), `order ${row.orderId} begins twice`);
        added.set(row.orderId, row);
      }
      continue;
    }
    for (const id of ordersOf(recorded.event)) {
      let row = added.get(id) ?? changed.get(id);
      if (!row) {
        const stored = before.get(id);
        assert(stored, `${recorded.event.type} is about order ${id}, which never began`);
        row = { ...stored, eventPositions: [...stored.eventPositions] };
        changed.set(id, row);
      }
      evolveRow(row, recorded);
    }
  }
  return { added: [...added.values()], changed: [...changed.values()] };
}

async function insertRows(db: Database, rows: readonly OrderRow[]): Promise<void> {
  if (rows.length === 0) return;
  await db.query({
    name: 'orders_insert',
    text: `
      insert into read.orders_v1
        (order_id, quantity, status, filled_quantity, filled_value_cents, fees_cents, leaves_quantity, reason,
         updated_at, event_positions, accepted, cancels_unanswered, amends_unanswered, limit_cents,
         prevented_quantity, held, client_order_id, account_id, symbol, side, type, time_in_force,
         protection_cents, created_at, position, post_only, min_quantity, self_trade, stop_cents, trail_cents,
         trail_ppm, expires_at, display_quantity, notional_cents, list_id, list_role)
      select order_id, quantity, status, filled_quantity, filled_value_cents, fees_cents, leaves_quantity, reason,
             updated_at, event_positions::bigint[], accepted, cancels_unanswered, amends_unanswered, limit_cents,
             prevented_quantity, held, client_order_id, account_id, symbol, side, type, time_in_force,
             protection_cents, created_at, position, post_only, min_quantity, self_trade, stop_cents, trail_cents,
             trail_ppm, expires_at, display_quantity, notional_cents, list_id, list_role
        from unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                    $8::text[], $9::timestamptz[], $10::text[], $11::boolean[], $12::integer[], $13::integer[],
                    $14::bigint[], $15::bigint[], $16::boolean[], $17::text[], $18::uuid[], $19::text[],
                    $20::text[], $21::text[], $22::text[], $23::bigint[], $24::timestamptz[], $25::bigint[],
                    $26::boolean[], $27::bigint[], $28::text[], $29::bigint[], $30::bigint[], $31::bigint[],
                    $32::timestamptz[], $33::bigint[], $34::bigint[], $35::uuid[], $36::text[])
          as n (order_id, quantity, status, filled_quantity, filled_value_cents, fees_cents, leaves_quantity,
                reason, updated_at, event_positions, accepted, cancels_unanswered, amends_unanswered, limit_cents,
                prevented_quantity, held, client_order_id, account_id, symbol, side, type, time_in_force,
                protection_cents, created_at, position, post_only, min_quantity, self_trade, stop_cents,
                trail_cents, trail_ppm, expires_at, display_quantity, notional_cents, list_id, list_role)`,
    values: columns(rows, [
      ...changingCells,
      (row) => row.clientOrderId,
      (row) => row.accountId,
      (row) => row.symbol,
      (row) => row.side,
      (row) => row.type,
      (row) => row.timeInForce,
      (row) => row.protectionCents,
      (row) => row.createdAt,
      (row) => row.position,
      (row) => row.postOnly,
      (row) => row.minQuantity,
      (row) => row.selfTrade,
      (row) => row.stopCents,
      (row) => row.trailCents,
      (row) => row.trailPpm,
      (row) => instantOrNull(row.expiresAt),
      (row) => row.displayQuantity,
      (row) => row.notionalCents,
      (row) => row.listId,
      (row) => row.listRole,
    ]),
  });
}

async function updateRows(db: Database, rows: readonly OrderRow[]): Promise<void> {
  if (rows.length === 0) return;
  const { rowCount } = await db.query({
    name: 'orders_update',
    text: `
      update read.orders_v1 o set
        quantity = u.quantity, status = u.status, filled_quantity = u.filled_quantity,
        filled_value_cents = u.filled_value_cents, fees_cents = u.fees_cents, leaves_quantity = u.leaves_quantity,
        reason = u.reason, updated_at = u.updated_at, event_positions = u.event_positions::bigint[],
        accepted = u.accepted, cancels_unanswered = u.cancels_unanswered, amends_unanswered = u.amends_unanswered,
        limit_cents = u.limit_cents, prevented_quantity = u.prevented_quantity,
        held = u.held
      from unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                  $8::text[], $9::timestamptz[], $10::text[], $11::boolean[], $12::integer[], $13::integer[],
                  $14::bigint[], $15::bigint[], $16::boolean[])
        as u (order_id, quantity, status, filled_quantity, filled_value_cents, fees_cents, leaves_quantity, reason,
              updated_at, event_positions, accepted, cancels_unanswered, amends_unanswered, limit_cents,
              prevented_quantity, held)
      where o.order_id = u.order_id`,
    values: columns(rows, changingCells),
  });
  assert.equal(rowCount, rows.length, 'every order that changes has its row');
}

/** The key and what may change after an order's first event. */
const changingCells: readonly ((row: OrderRow) => Cell)[] = [
  (row) => row.orderId,
  (row) => row.quantity,
  (row) => row.status,
  (row) => row.filledQuantity,
  (row) => row.filledValueCents,
  (row) => row.feesCents,
  (row) => row.leavesQuantity,
  (row) => row.reason,
  (row) => row.updatedAt,
  // `unnest` would flatten an array of arrays.
  (row) => `{${row.eventPositions.join(',')}}`,
  (row) => row.accepted,
  (row) => row.cancelsUnanswered,
  (row) => row.amendsUnanswered,
  (row) => row.limitCents,
  (row) => row.preventedQuantity,
  (row) => row.held,
];

async function readRows(db: Database, orderIds: readonly string[]): Promise<OrderRow[]> {
  if (orderIds.length === 0) return [];
  const { rows } = await db.query<StoredRow>({
    name: 'orders_read',
    text: 'select * from read.orders_v1 where order_id = any($1::uuid[])',
    values: [column(orderIds)],
  });
  return rows.map((row) => ({
    orderId: row.order_id,
    clientOrderId: row.client_order_id,
    accountId: row.account_id,
    symbol: row.symbol,
    side: row.side,
    type: row.type,
    timeInForce: row.time_in_force,
    quantity: safeInteger(row.quantity),
    limitCents: integerOrNull(row.limit_cents),
    protectionCents: integerOrNull(row.protection_cents),
    status: row.status,
    filledQuantity: safeInteger(row.filled_quantity),
    filledValueCents: safeInteger(row.filled_value_cents),
    feesCents: safeInteger(row.fees_cents),
    leavesQuantity: safeInteger(row.leaves_quantity),
    reason: row.reason,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    position: safeInteger(row.position),
    eventPositions: row.event_positions.map(safeInteger),
    accepted: row.accepted,
    cancelsUnanswered: row.cancels_unanswered,
    amendsUnanswered: row.amends_unanswered,
    preventedQuantity: safeInteger(row.prevented_quantity),
    postOnly: row.post_only,
    minQuantity: integerOrNull(row.min_quantity),
    selfTrade: row.self_trade,
    stopCents: integerOrNull(row.stop_cents),
    trailCents: integerOrNull(row.trail_cents),
    trailPpm: integerOrNull(row.trail_ppm),
    expiresAt: row.expires_at?.toISOString() ?? null,
    displayQuantity: integerOrNull(row.display_quantity),
    notionalCents: integerOrNull(row.notional_cents),
    listId: row.list_id,
    listRole: row.list_role,
    held: row.held,
  }));
}

type StoredRow = {
  order_id: string;
  client_order_id: string | null;
  account_id: string;
  symbol: string;
  side: string;
  type: string;
  time_in_force: string;
  quantity: string;
  limit_cents: string | null;
  protection_cents: string | null;
  status: OrderStatus;
  filled_quantity: string;
  filled_value_cents: string;
  fees_cents: string;
  leaves_quantity: string;
  reason: string | null;
  created_at: Date;
  updated_at: Date;
  position: string;
  event_positions: string[];
  accepted: boolean;
  cancels_unanswered: number;
  amends_unanswered: number;
  prevented_quantity: string;
  post_only: boolean;
  min_quantity: string | null;
  self_trade: string;
  stop_cents: string | null;
  trail_cents: string | null;
  trail_ppm: string | null;
  expires_at: Date | null;
  display_quantity: string | null;
  notional_cents: string | null;
  list_id: string | null;
  list_role: string | null;
  held: boolean;
};

const integerOrNull = (text: string | null): number | null => (text === null ? null : safeInteger(text));
