import type { AuditedOrder } from '../order.ts';

/** `ticks`: its limit; `filled`: by this arrival; `changed`: it was in the book before, and comes in anew. */
export type Incoming = {
  order: AuditedOrder;
  ticks: number;
  leaves: number;
  toRest: number;
  filled: number;
  changed: boolean;
  /** What an order for an amount of money has left of it; null: it is for a quantity. */
  money: number | null;
  /** The price of its last trade. */
  tradedAt?: number;
};

/** Whole lots that the money buys, at most what an order may be for; by older rules whole lots more. */
export function buysFor(
  { money, filled }: Incoming,
  cents: number,
  { lotShares, orderSharesMax }: { lotShares: number; orderSharesMax: number },
  version: number,
): number {
  const shares = Math.min(Math.floor((money ?? 0) / cents), orderSharesMax - filled);
  const whole = (of: number) => Math.floor(of / lotShares) * lotShares;
  return version < 4 ? whole(shares) : Math.max(0, whole(filled + shares) - filled);
}
