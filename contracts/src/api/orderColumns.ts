import type { OrderStatus, OrderType, SelfTradeMode, Side, TimeInForce } from '../base/order.ts';
import type { ListRole } from '../events/orderList.ts';

/**
 * The columns of the view `read.orders`, which a projection fills and queries read, with their types in PostgreSQL; `?`
 * marks one that may be null. Code names them in camelCase, the database in snake_case.
 */
export const ORDER_COLUMNS = {
  orderId: 'uuid',
  clientOrderId: 'text?',
  accountId: 'uuid',
  symbol: 'text',
  side: 'text',
  type: 'text',
  timeInForce: 'text',
  quantity: 'bigint',
  limitCents: 'bigint?',
  protectionCents: 'bigint?',
  stopCents: 'bigint?',
  trailCents: 'bigint?',
  trailPpm: 'bigint?',
  displayQuantity: 'bigint?',
  notionalCents: 'bigint?',
  minQuantity: 'bigint?',
  postOnly: 'boolean',
  selfTrade: 'text',
  expiresAt: 'timestamptz?',
  listId: 'uuid?',
  listRole: 'text?',
  status: 'text',
  reason: 'text?',
  filledQuantity: 'bigint',
  filledValueCents: 'bigint',
  feesCents: 'bigint',
  leavesQuantity: 'bigint',
  preventedQuantity: 'bigint',
  createdAt: 'timestamptz',
  updatedAt: 'timestamptz',
  position: 'bigint',
  eventPositions: 'bigint[]',
} as const;

/** A row as the PostgreSQL driver returns it: it gives integers of 64 bits as text. */
export type StoredOrder = {
  [Name in keyof typeof ORDER_COLUMNS]: Name extends keyof Words
    ? Words[Name]
    : StoredValues[(typeof ORDER_COLUMNS)[Name]];
};

/** Columns of text that hold one of a few words. */
type Words = {
  side: Side;
  type: OrderType;
  timeInForce: TimeInForce;
  selfTrade: SelfTradeMode;
  listRole: ListRole | null;
  status: OrderStatus;
};

type StoredValues = {
  uuid: string;
  'uuid?': string | null;
  text: string;
  'text?': string | null;
  bigint: string;
  'bigint?': string | null;
  'bigint[]': string[];
  boolean: boolean;
  timestamptz: Date;
  'timestamptz?': Date | null;
};

/** `orderId` is the column `order_id`. */
export const columnName = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** What a `select` lists so that its rows have the names of the code. */
export const selectedColumns = (names: readonly string[]): string =>
  names.map((name) => `${columnName(name)} as "${name}"`).join(', ');
