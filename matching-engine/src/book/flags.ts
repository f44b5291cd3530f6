import { SELF_TRADE_MODES, type SelfTradeMode } from '@brokerx/contracts';

/**
 * The terms of an order in the book as bits of one integer: a field for each would cost 8 bytes in every order.
 * Snapshots store the same integer, so the meaning of a bit never changes.
 */
export const EXPIRES_WITH_DAY = 1;
export const POST_ONLY = 2;
/** The order is for the running call alone and expires with its uncross. */
export const ENDS_WITH_CALL = 256;
/** The trade band does not apply to the order. */
export const BAND_EXEMPT = 512;
/** The order has no limit of its own, only its protection price. */
export const UNPRICED = 1024;
/** Three bits hold the index in `SELF_TRADE_MODES`. */
const SELF_TRADE_SHIFT = 2;
const SELF_TRADE_BITS = 7;
/** The order is an iceberg. Its hidden part is kept in `Engine.icebergs`. */
export const ICEBERG = 32;

export const flagsOf = (terms: {
  day: boolean;
  postOnly?: true | undefined;
  selfTrade?: SelfTradeMode | undefined;
  displayQuantity?: number | undefined;
  endsWithCall?: boolean | undefined;
  bandExempt?: boolean | undefined;
  unpriced?: boolean | undefined;
}): number =>
  (terms.unpriced ? UNPRICED : 0) |
  (terms.bandExempt ? BAND_EXEMPT : 0) |
  (terms.endsWithCall ? ENDS_WITH_CALL : 0) |
  (terms.day ? EXPIRES_WITH_DAY : 0) |
  (terms.postOnly ? POST_ONLY : 0) |
  (terms.displayQuantity === undefined ? 0 : ICEBERG) |
  (terms.selfTrade === undefined ? 0 : SELF_TRADE_MODES.indexOf(terms.selfTrade) << SELF_TRADE_SHIFT);

/** The same flags, with `BAND_EXEMPT` set or not. */
export const exemptIf = (flags: number, exempt: boolean): number =>
  exempt ? flags | BAND_EXEMPT : flags & ~BAND_EXEMPT;

export const selfTradeOf = (flags: number): SelfTradeMode =>
  SELF_TRADE_MODES[(flags >> SELF_TRADE_SHIFT) & SELF_TRADE_BITS] ?? 'none';
