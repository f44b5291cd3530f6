import type { Side } from '@brokerx/contracts';
import type { RawEvent } from './rawEvent.ts';

type Filled = Extract<RawEvent, { type: 'OrderFilled.v1' }>['data'];

/** A fill as its account booked it, with what the executions must show of it. */
export type AuditedFill = {
  /** The ids of trade and side, because an account may be on both sides of a trade. */
  id: string;
  orderId: string;
  symbol: string;
  side: Side;
  liquidity: 'maker' | 'taker' | 'auction';
  priceCents: number;
  quantity: number;
  valueCents: number;
  feeCents: number;
  sequence: number;
  tradedAt: string;
};

export const fillFrom = (filled: Filled): AuditedFill => ({
  id: `${filled.tradeId}-${filled.side}`,
  orderId: filled.orderId,
  symbol: filled.symbol,
  side: filled.side,
  liquidity: filled.liquidity,
  priceCents: filled.priceTicks * filled.tickCents,
  quantity: filled.quantity,
  valueCents: filled.valueCents,
  feeCents: filled.feeCents,
  sequence: filled.sequence,
  tradedAt: filled.tradedAt,
});
