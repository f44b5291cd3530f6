import type { AccountFact, Listed, OrderType, SelfTradeMode, Side, TimeInForce } from '@brokerx/contracts';

/** An order as its account's events make it. Amounts are in cents, prices in ticks. */
export type AuditedOrder = {
  id: string;
  accountId: string;
  /** Its list, which holds cash and shares for it, and its role there; null: it stands alone. */
  list: AuditedList | null;
  role: string | null;
  /** Whether it waits until the entry of its bracket has ended. */
  dormant: boolean;
  clientOrderId: string | null;
  symbol: string;
  side: Side;
  type: OrderType;
  timeInForce: TimeInForce;
  quantity: number;
  limitTicks: number;
  tickCents: number;
  feePpm: number;
  holdCents: number;
  holdShares: number;
  /** Whether it may trade outside the trade band. */
  bandExempt: boolean;
  /** Whether its last amendment asks for that exemption. */
  asksExemption: boolean;
  postOnly: boolean;
  minQuantity: number;
  selfTrade: SelfTradeMode;
  /** The quantity that an iceberg shows at a time; null: it shows all. */
  peak: number | null;
  /** The amount of money that a market buy is to spend; its quantity is 0. Null: the order is for a quantity. */
  notionalCents: number | null;
  /** The leaves quantity that its last fill reported, for an order for an amount of money. */
  wanted: number;
  filled: number;
  /** The quantity taken off by self-trade prevention. */
  prevented: number;
  filledValueCents: number;
  feesCents: number;
  /** The sequence of the last book output applied to it. */
  lastSequence: number;
  /** Whether the book has accepted it. */
  accepted: boolean;
  /** Its stop price; null: it has none. */
  stopTicks: number | null;
  /** Whether it is put aside outside the book, as a stop, for the closing call, or in a bracket that has not armed. */
  held: boolean;
  expiresAt: string | null;
  cancelRequested: boolean;
  /** The numbers of the last amendment requested and of the last one answered. */
  amendmentAsked: number;
  amendmentAnswered: number;
  /** The terms that the unanswered amendment asks for; null: there is none. */
  pendingAmendment: { quantity: number; limitTicks: number } | null;
  end: 'filled' | 'canceled' | 'expired' | 'rejected' | null;
  reason: string | null;
};

/** A list of orders, and what it holds for all of them together. */
export type AuditedList = {
  id: string;
  orders: AuditedOrder[];
  holdCents: number;
  holdShares: number;
  /** The entry of a bracket; null: the list is no bracket. */
  entry: AuditedOrder | null;
  /** The shares that the entry has bought for the other orders to sell. */
  bought: number;
};

type Placed = Extract<AccountFact, { type: 'OrderPlaced.v1' }>['data'] & Partial<Listed>;

export const orderFrom = (placed: Placed, list: AuditedList | null = null): AuditedOrder => ({
  id: placed.orderId,
  accountId: placed.accountId,
  list,
  role: placed.role ?? null,
  dormant: false,
  clientOrderId: placed.clientOrderId,
  symbol: placed.symbol,
  side: placed.side,
  type: placed.type,
  timeInForce: placed.timeInForce,
  quantity: placed.quantity,
  limitTicks: placed.limitTicks,
  tickCents: placed.tickCents,
  feePpm: placed.feePpm,
  holdCents: placed.holdCents,
  holdShares: placed.holdShares,
  bandExempt: placed.bandExempt,
  asksExemption: false,
  postOnly: placed.postOnly ?? false,
  minQuantity: placed.minQuantity ?? 0,
  selfTrade: placed.selfTrade ?? 'none',
  peak: placed.displayQuantity ?? null,
  notionalCents: placed.notionalCents ?? null,
  wanted: 0,
  filled: 0,
  prevented: 0,
  filledValueCents: 0,
  feesCents: 0,
  lastSequence: -1,
  accepted: false,
  stopTicks: placed.stopTicks ?? null,
  held: false,
  expiresAt: placed.expiresAt ?? null,
  cancelRequested: false,
  amendmentAsked: 0,
  amendmentAnswered: 0,
  pendingAmendment: null,
  end: null,
  reason: null,
});

export function leavesOf(order: AuditedOrder): number {
  if (order.end) return 0;
  return order.notionalCents === null ? order.quantity - order.filled - order.prevented : order.wanted;
}

/**
 * The most cents and shares that an order may still need, fees aside. A part of it may trade before an unanswered amendment
 * takes effect. The need is convex in that part, so it is largest if nothing or everything trades before.
 */
export function stillNeeded(order: AuditedOrder): { cents: number; shares: number } {
  if (order.notionalCents !== null)
    return { cents: Math.max(0, order.notionalCents - order.filledValueCents), shares: 0 };
  const leaves = leavesOf(order);
  const done = order.filled + order.prevented;
  const amendedLeaves = order.pendingAmendment ? Math.max(0, order.pendingAmendment.quantity - done) : 0;
  const { tickCents, limitTicks } = order;
  const amendedTicks = order.pendingAmendment?.limitTicks ?? limitTicks;
  if (order.side === 'sell') return { cents: 0, shares: Math.max(leaves, amendedLeaves) };
  const need = (tradedBefore: number) =>
    tradedBefore * limitTicks + Math.max(0, amendedLeaves - tradedBefore) * amendedTicks;
  return { cents: Math.max(need(0), need(leaves)) * tickCents, shares: 0 };
}

/** The status that the query API must show, by FIX precedence. */
export function statusOf(order: AuditedOrder): string {
  if (order.end) return order.end;
  if (order.cancelRequested) return 'pending_cancel';
  if (order.amendmentAsked > order.amendmentAnswered) return 'pending_replace';
  if (order.filled > 0) return 'partially_filled';
  if (order.held) return 'held';
  return order.accepted ? 'new' : 'pending_new';
}

/**
 * The fee on a cumulative value: its ppm rounded up, at most the proceeds of a sale. It is computed with BigInt,
 * independently of the services, so that an error in their arithmetic shows.
 */
export function feeOf(order: { side: Side; feePpm: number }, valueCents: number): number {
  const fee = Number((BigInt(valueCents) * BigInt(order.feePpm) + 999_999n) / 1_000_000n);
  return order.side === 'sell' ? Math.min(fee, valueCents) : fee;
}
