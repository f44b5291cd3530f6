import { hasLimit } from '../base/order.ts';
import { averagePriceDecimal, cents, decimalFromCents, percentFromPpm } from '../base/units.ts';
import type { AccountFact } from '../events/account.ts';
import type { Listed } from '../events/placedOrders.ts';
import type { OrderFields, OrderIn } from './orderColumns.ts';
import type { OrderView } from './views.ts';

type Placed = Extract<AccountFact, { type: 'OrderPlaced.v1' }>;
type Refused = Extract<AccountFact, { type: 'OrderRefused.v1' }>;
/** The fact with which an order begins. An order of a list has its list and role, too. */
type FirstOrderFact = (Placed & { data: Partial<Listed> }) | Refused;
export type NewOrder = Omit<OrderFields, 'position' | 'eventPositions'>;

/** An order as its first fact makes it: it waits for its engine, or was refused. */
export function newOrder(fact: FirstOrderFact, time: string): NewOrder {
  const { data } = fact;
  return {
    orderId: data.orderId,
    clientOrderId: data.clientOrderId,
    accountId: data.accountId,
    symbol: data.symbol,
    side: data.side,
    type: data.type,
    timeInForce: data.timeInForce,
    quantity: data.quantity,
    trailPpm: data.trailPpm ?? null,
    displayQuantity: data.displayQuantity ?? null,
    notionalCents: data.notionalCents ?? null,
    minQuantity: data.minQuantity ?? null,
    postOnly: data.postOnly ?? false,
    selfTrade: data.selfTrade ?? 'none',
    expiresAt: data.expiresAt ?? null,
    filledQuantity: 0,
    filledValueCents: 0,
    feesCents: 0,
    preventedQuantity: 0,
    createdAt: time,
    updatedAt: time,
    ...(fact.type === 'OrderPlaced.v1' ? placedFields(fact.data) : refusedFields(fact.data)),
  };
}

function placedFields(data: Placed['data'] & Partial<Listed>) {
  const { type, quantity, limitTicks, stopTicks, trailTicks, tickCents } = data;
  const limitCents = limitTicks * tickCents;
  return {
    limitCents: hasLimit(type) ? limitCents : null,
    protectionCents: hasLimit(type) ? null : limitCents,
    stopCents: stopTicks === undefined ? null : stopTicks * tickCents,
    trailCents: trailTicks === undefined ? null : trailTicks * tickCents,
    listId: data.listId ?? null,
    listRole: data.role ?? null,
    status: 'pending_new',
    reason: null,
    leavesQuantity: quantity,
  } as const;
}

const refusedFields = ({ limitCents, stopCents, trailCents, code }: Refused['data']) =>
  ({
    limitCents,
    protectionCents: null,
    stopCents: stopCents ?? null,
    trailCents: trailCents ?? null,
    listId: null,
    listRole: null,
    status: 'rejected',
    reason: code,
    leavesQuantity: 0,
  }) as const;

/** Makes the view of an order: of a new one, or of a row of the read model, whose integers are texts. */
export function orderView(
  order: Omit<OrderIn<number | string, string | Date>, 'position' | 'eventPositions'>,
): OrderView {
  return {
    id: order.orderId,
    client_order_id: order.clientOrderId,
    account_id: order.accountId,
    symbol: order.symbol,
    side: order.side,
    type: order.type,
    time_in_force: order.timeInForce,
    qty: order.notionalCents === null ? String(order.quantity) : null,
    notional: moneyOrNull(order.notionalCents),
    display_qty: textOrNull(order.displayQuantity),
    limit_price: moneyOrNull(order.limitCents),
    protection_price: moneyOrNull(order.protectionCents),
    stop_price: moneyOrNull(order.stopCents),
    trail_price: moneyOrNull(order.trailCents),
    trail_percent: order.trailPpm === null ? null : percentFromPpm(Number(order.trailPpm)),
    expires_at: order.expiresAt === null ? null : timeText(order.expiresAt),
    status: order.status,
    filled_qty: String(order.filledQuantity),
    leaves_qty: String(order.leavesQuantity),
    filled_avg_price: averagePriceDecimal(centsOf(order.filledValueCents), Number(order.filledQuantity)),
    fees: decimalFromCents(centsOf(order.feesCents)),
    post_only: order.postOnly,
    min_qty: textOrNull(order.minQuantity),
    stp_mode: order.selfTrade,
    prevented_qty: String(order.preventedQuantity),
    reason: order.reason,
    list_id: order.listId,
    list_role: order.listRole,
    created_at: timeText(order.createdAt),
    updated_at: timeText(order.updatedAt),
  };
}

const centsOf = (stored: number | string): number => cents(Number(stored));
const moneyOrNull = (stored: number | string | null): string | null =>
  stored === null ? null : decimalFromCents(centsOf(stored));
const textOrNull = (stored: number | string | null): string | null =>
  stored === null ? null : String(stored);
const timeText = (time: string | Date): string => (typeof time === 'string' ? time : time.toISOString());
