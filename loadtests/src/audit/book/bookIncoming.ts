import type { AuditedOrder } from '../order.ts';

/** An order that is arriving in the book. */
export type Incoming = {
  order: AuditedOrder;
  /** Its limit. */
  ticks: number;
  leaves: number;
  /** The quantity that is to rest at the end of its arrival. */
  toRest: number;
  /** The quantity filled by this arrival. */
  filled: number;
  /** Whether it has been in the market before: a change or a trigger lets it arrive anew. */
  changed: boolean;
  /** The money in cents that an order for an amount of money has left; null: it is for a quantity. */
  money: number | null;
  /** The price of its last trade, in ticks. */
  tradedAt?: number;
};

/**
 * The shares that the money still buys at a price, at most what an order may be for. In total they are whole lots; before
 * version 4 of the rules each step was whole lots.
 */
export function buysFor(
  { money, filled }: Incoming,
  cents: number,
  { lotShares, orderSharesMax }: { lotShares: number; orderSharesMax: number },
  version: number,
): number {
  const shares = Math.min(Math.floor((money ?? 0) / cents), orderSharesMax - filled);
  const wholeLots = (quantity: number) => Math.floor(quantity / lotShares) * lotShares;
  return version < 4 ? wholeLots(shares) : Math.max(0, wholeLots(filled + shares) - filled);
}
