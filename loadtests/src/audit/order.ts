import type { AccountFact, Listed, OrderType, SelfTradeMode, Side, TimeInForce } from '@brokerx/contracts';

/** One order as its account's events tell it, amounts in cents, prices in ticks. */
export type AuditedOrder = {
  id: string;
  accountId: string;
  /** What it is of a list, which then holds for it; null: it stands alone. */
  list: AuditedList | null;
  role: string | null;
  /** It waits until the entry of its bracket has ended. */
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
  /** The trade band does not count for it. */
  bandExempt: boolean;
  /** What its last amendment asks of that. */
  asksExemption: boolean;
  postOnly: boolean;
  minQuantity: number;
  selfTrade: SelfTradeMode;
  /** Of an iceberg, what it shows at a time. */
  peak: number | null;
  /** What a market buy is to spend, and what it last said that it wants; its quantity is 0. */
  notionalCents: number | null;
  wanted: number;
  filled: number;
  /** Taken off by self-trade prevention. */
  prevented: number;
  filledValueCents: number;
  feesCents: number;
  /** Sequence of the last book output applied to it. */
  lastSequence: number;
  /** The book took it. */
  accepted: boolean;
  /** Its stop; null for orders without one. `held`: it waits for its trigger. */
  stopTicks: number | null;
  held: boolean;
  expiresAt: string | null;
  cancelRequested: boolean;
  /** Number of the last amendment asked for, and of the last one answered. */
  amendmentAsked: number;
  amendmentAnswered: number;
  /** What the unanswered amendment asks for. */
  asked: { quantity: number; limitTicks: number } | null;
  end: 'filled' | 'canceled' | 'expired' | 'rejected' | null;
  reason: string | null;
};

/** Orders that belong together: what is held is held for all of them. */
export type AuditedList = {
  id: string;
  orders: AuditedOrder[];
  holdCents: number;
  holdShares: number;
  /** The entry of a bracket, and what it has bought for the others. */
  entry: AuditedOrder | null;
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
  asked: null,
  end: null,
  reason: null,
});

export function leavesOf(order: AuditedOrder): number {
  if (order.end) return 0;
  return order.notionalCents === null ? order.quantity - order.filled - order.prevented : order.wanted;
}

/**
 * The most cents and shares that an order may still need, fees aside: whichever part of it trades before an unanswered
 * amendment takes effect, tried share by share at the two ends between which it is linear.
 */
export function stillNeeded(order: AuditedOrder): { cents: number; shares: number } {
  if (order.notionalCents !== null)
    return { cents: Math.max(0, order.notionalCents - order.filledValueCents), shares: 0 };
  const leaves = leavesOf(order);
  const done = order.filled + order.prevented;
  const later = order.asked ? Math.max(0, order.asked.quantity - done) : 0;
  const { tickCents, limitTicks } = order;
  const laterTicks = order.asked?.limitTicks ?? limitTicks;
  if (order.side === 'sell') return { cents: 0, shares: Math.max(leaves, later) };
  const worth = (before: number) => before * limitTicks + Math.max(0, later - before) * laterTicks;
  return { cents: Math.max(worth(0), worth(leaves)) * tickCents, shares: 0 };
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
 * Fee of a cumulative value: its ppm rounded up, at most the proceeds of a sale. Through BigInt: an arithmetic of
 * its own, so that an error in the shared one shows.
 */
export function feeOf(order: { side: Side; feePpm: number }, valueCents: number): number {
  const fee = Number((BigInt(valueCents) * BigInt(order.feePpm) + 999_999n) / 1_000_000n);
  return order.side === 'sell' ? Math.min(fee, valueCents) : fee;
}
