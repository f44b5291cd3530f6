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
  /** The total quantity, filled shares included. */
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
  /** The shares that self-trade prevention has taken off. */
  preventedQuantity: 'bigint',
  createdAt: 'timestamptz',
  updatedAt: 'timestamptz',
  /** The position of the order's first event. */
  position: 'bigint',
  /** The positions of its events in the streams of the account and the book: the oldest ones, and the last one. */
  eventPositions: 'bigint[]',
} as const;

/** An order with a value for each column, with integers and times of these types. */
export type OrderIn<Integer, Time> = {
  -readonly [Name in keyof typeof ORDER_COLUMNS]: Name extends keyof Words
    ? Words[Name]
    : Values<Integer, Time>[(typeof ORDER_COLUMNS)[Name]];
};
/** A row as the PostgreSQL driver returns it: it gives integers of 64 bits as text. */
export type StoredOrder = OrderIn<string, Date>;
/** An order as code computes with it. */
export type OrderFields = OrderIn<number, string>;

/** Columns of text that hold one of a few words. */
type Words = {
  side: Side;
  type: OrderType;
  timeInForce: TimeInForce;
  selfTrade: SelfTradeMode;
  listRole: ListRole | null;
  status: OrderStatus;
};

type Values<Integer, Time> = {
  uuid: string;
  'uuid?': string | null;
  text: string;
  'text?': string | null;
  bigint: Integer;
  'bigint?': Integer | null;
  'bigint[]': Integer[];
  boolean: boolean;
  timestamptz: Time;
  'timestamptz?': Time | null;
};

/** `orderId` is the column `order_id`. */
export const columnName = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** What a `select` lists so that its rows have the names of the code. */
export const selectedColumns = (names: readonly string[]): string =>
  names.map((name) => `${columnName(name)} as "${name}"`).join(', ');
