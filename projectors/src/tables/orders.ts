import assert from 'node:assert/strict';
import { columnName, type Event, ORDER_COLUMNS, selectedColumns } from '@brokerx/contracts';
import { type Recorded, safeInteger } from '@brokerx/infra';
import { LRUCache } from 'lru-cache';
import { type Cell, column, columns, instantOrNull } from '../run/columns.ts';
import type { Database, TableProjection } from '../run/projection.ts';
import { begins, evolveRow, type OrderRow, openRows, ordersOf } from './orderRow.ts';

/**
 * The table of orders. It is the one projection whose fold needs the stored row. A cache keeps rows written lately, since an
 * order's events follow each other closely; other rows are read from the table. The runner moves the cursor by
 * compare-and-set, which fails where another process has written since: so the rows used were the latest.
 */
export function orders(): TableProjection {
  const recentRows = new LRUCache<string, OrderRow>({ max: RECENT_ROWS_MAX });
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
          const row = recentRows.get(id);
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
          for (const row of added) recentRows.set(row.orderId, row);
          for (const row of changed) recentRows.set(row.orderId, row);
        },
      };
    },
    forget: () => recentRows.clear(),
  };
}

/** Rows in the cache, some 10 MB. A batch of more orders reads the others. */
const RECENT_ROWS_MAX = 20_000;

/** Returns the rows that a batch adds and changes. `before` must have every older order of the batch; it is not changed. */
export function foldOrders(
  before: ReadonlyMap<string, OrderRow>,
  events: readonly Recorded<Event>[],
): { added: OrderRow[]; changed: OrderRow[] } {
  const added = new Map<string, OrderRow>();
  const changed = new Map<string, OrderRow>();
  for (const recorded of events) {
    if (begins(recorded.event)) {
      for (const row of openRows(recorded)) {
        if (added.has(row.orderId) || before.has(row.orderId))
          assert.fail(`order ${row.orderId} begins twice`);
        added.set(row.orderId, row);
      }
      continue;
    }
    for (const id of ordersOf(recorded.event)) {
      let row = added.get(id) ?? changed.get(id);
      if (!row) {
        const stored = before.get(id);
        if (!stored) assert.fail(`${recorded.event.type} is about order ${id}, which never began`);
        row = { ...stored, eventPositions: [...stored.eventPositions] };
        changed.set(id, row);
      }
      evolveRow(row, recorded);
    }
  }
  return { added: [...added.values()], changed: [...changed.values()] };
}

/** A row has the columns that queries read, and those that its status is derived from. */
const ROW_COLUMNS = {
  ...ORDER_COLUMNS,
  accepted: 'boolean',
  held: 'boolean',
  cancelsUnanswered: 'integer',
  amendsUnanswered: 'integer',
} as const;
type Column = keyof typeof ROW_COLUMNS;
const allColumns = Object.keys(ROW_COLUMNS) as Column[];

/** The columns that may change after an order's first event. */
const changingColumns: readonly Column[] = [
  'quantity',
  'limitCents',
  'status',
  'reason',
  'filledQuantity',
  'filledValueCents',
  'feesCents',
  'leavesQuantity',
  'preventedQuantity',
  'updatedAt',
  'eventPositions',
  'accepted',
  'held',
  'cancelsUnanswered',
  'amendsUnanswered',
];
const updateColumns: readonly Column[] = ['orderId', ...changingColumns];

/** `unnest` would flatten an array of arrays, so an array travels as the text of one, and is cast. */
const isArray = (name: Column) => ROW_COLUMNS[name] === 'bigint[]';
const columnNames = (names: readonly Column[]) => names.map(columnName).join(', ');
const newValue = (name: Column) => `n.${columnName(name)}${isArray(name) ? '::bigint[]' : ''}`;
const newRows = (names: readonly Column[]) => {
  const types = names.map((name) => (isArray(name) ? 'text' : ROW_COLUMNS[name].replace('?', '')));
  return `unnest(${types.map((type, i) => `$${i + 1}::${type}[]`).join(', ')}) as n (${columnNames(names)})`;
};

const INSERT = `
  insert into read.orders_v1 (${columnNames(allColumns)})
  select ${allColumns.map(newValue).join(', ')} from ${newRows(allColumns)}`;
const UPDATE = `
  update read.orders_v1 o
     set ${changingColumns.map((name) => `${columnName(name)} = ${newValue(name)}`).join(', ')}
    from ${newRows(updateColumns)}
   where o.order_id = n.order_id`;
const READ = `select ${selectedColumns(allColumns)} from read.orders_v1 where order_id = any($1::uuid[])`;

async function insertRows(db: Database, rows: readonly OrderRow[]): Promise<void> {
  if (rows.length === 0) return;
  await db.query({ name: 'orders_insert', text: INSERT, values: columns(rows, allColumns.map(cellOf)) });
}

async function updateRows(db: Database, rows: readonly OrderRow[]): Promise<void> {
  if (rows.length === 0) return;
  const values = columns(rows, updateColumns.map(cellOf));
  const { rowCount } = await db.query({ name: 'orders_update', text: UPDATE, values });
  assert.equal(rowCount, rows.length, 'every order that changes has its row');
}

function cellOf(name: Column): (row: OrderRow) => Cell {
  if (name === 'eventPositions') return (row) => `{${row.eventPositions.join(',')}}`;
  if (name === 'expiresAt') return (row) => instantOrNull(row.expiresAt);
  return (row) => row[name];
}

async function readRows(db: Database, orderIds: readonly string[]): Promise<OrderRow[]> {
  if (orderIds.length === 0) return [];
  const { rows } = await db.query<Record<Column, unknown>>({
    name: 'orders_read',
    text: READ,
    values: [column(orderIds)],
  });
  return rows.map((row) => {
    for (const name of allColumns) row[name] = fromDatabase(ROW_COLUMNS[name], row[name]);
    return row as OrderRow;
  });
}

function fromDatabase(type: (typeof ROW_COLUMNS)[Column], stored: unknown): unknown {
  if (stored === null) return null;
  if (type.startsWith('timestamptz')) return (stored as Date).toISOString();
  if (type === 'bigint[]') return (stored as string[]).map(safeInteger);
  return type.startsWith('bigint') ? safeInteger(stored as string) : stored;
}
