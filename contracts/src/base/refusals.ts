import { z } from 'zod';

/**
 * Every reason to refuse a well-formed request. Within a group the reasons are in order of precedence: where several
 * apply, the first one is the answer. Events, replies (`code`) and documents use the same word.
 */
export const REFUSALS = {
  // Requests
  IDEMPOTENCY_KEY_REQUIRED:
    'Send an idempotency key: a UUID (version 7 is best) in the Idempotency-Key header, or in idempotency_key where there is such a field.',
  IDEMPOTENCY_KEY_REUSED: 'This Idempotency-Key was used with another request body.',
  REQUEST_IN_FLIGHT: 'A request with this Idempotency-Key is being handled; repeat it in a moment.',
  IDEMPOTENCY_KEY_VERSION:
    'So many keys were used in a day that some are forgotten; send a UUID of version 7.',
  STALE_REQUEST: 'The time in this Idempotency-Key is too old or in the future; send a new key.',
  OVERLOADED: 'Too many requests are in flight; try again after Retry-After seconds.',
  REQUEST_LIMIT: 'Too many requests came from this address; try again after Retry-After seconds.',
  UNAVAILABLE: 'The request could not be carried out now; it may be repeated with the same key.',
  // Reading
  READ_MODEL_BEHIND: 'What is read has not reached the position asked for; try again in a moment.',
  FOREIGN_POSITION: 'The position belongs to another event store; start from a fresh reply.',
  TOO_MANY_SUBSCRIPTIONS: 'This connection has as many subscriptions as it may; end one first.',
  TOO_MANY_STREAMS: 'This client has as many streams open as it may; close one first.',
  // People
  UNAUTHENTICATED: 'A valid bearer token is needed.',
  FORBIDDEN: 'This sign-in may not do that.',
  WRONG_CREDENTIALS: 'The e-mail address or the password is wrong.',
  SIGN_IN_LIMIT:
    'Too many sign-ins failed from this address or to this account; try again after Retry-After seconds.',
  PASSCODE_WRONG: 'The passcode is wrong, used or too old.',
  PASSCODE_LOCKED: 'Too many wrong passcodes; ask for a new one.',
  PASSCODE_LIMIT: 'Too many passcodes were sent; wait before asking for another.',
  REGISTRATION_NOT_FOUND: 'There is no such registration.',
  REGISTRATION_EXPIRED:
    'The registration was not confirmed in time and is deleted; register again, with a new Idempotency-Key.',
  CLIENT_NOT_FOUND: 'There is no such client.',
  // Accounts
  ACCOUNT_NOT_FOUND: 'There is no such account.',
  ACCOUNT_NOT_ACTIVE: 'The account is not open.',
  KILL_SWITCH: 'The kill switch of the account is active; only cancels are taken.',
  WALLET_LIMIT: 'The wallet would hold more than it may.',
  BALANCE_LIMIT: 'The account would hold more than can be booked.',
  // Symbols
  UNKNOWN_SYMBOL: 'There is no such symbol.',
  SYMBOL_ALREADY_LISTED: 'The symbol is listed already.',
  SYMBOL_HALTED: 'Trading in the symbol is halted; only cancels are taken.',
  SYMBOL_NOT_HALTED: 'Trading in the symbol is not halted.',
  MARKET_CLOSED: 'The market of the symbol is closed; only cancels are taken.',
  TRADING_PHASE: 'From what the market does now it cannot go there.',
  MATCHING_RULES: 'The matching rules of the symbol do not have this; an operator may adopt newer ones.',
  SYMBOL_RULES: 'By these rules of a symbol no order would be taken.',
  MATCHING_RULES_CURRENT: 'The symbol follows the newest matching rules already.',
  // Changes of orders, then the terms of new and changed orders, in the order in which they are checked
  AMEND_PENDING: 'An earlier change of this order has not been answered yet.',
  ORDER_LIST: 'The orders of a list would not fit together.',
  ORDER_TYPE: 'This order type does not take this.',
  AMEND_NO_CHANGE: 'The change would change nothing.',
  AMEND_NOT_A_REDUCTION: 'Under the matching rules of this symbol an order can only be reduced.',
  DUPLICATE_CLIENT_ORDER_ID: 'The client_order_id names another order.',
  ORDER_SIZE: 'The quantity is above what the symbol allows in one order.',
  LOT_STEP: 'The quantity is not a multiple of the lot size.',
  PRICE_TICK: 'The price is not a multiple of the tick size.',
  PRICE_BAND: 'The price is outside the band around the reference price.',
  MIN_NOTIONAL: 'Price times quantity is below what the symbol takes.',
  MAX_NOTIONAL: 'Price times quantity is above what the symbol takes.',
  ICEBERG_PEAKS: 'The quantity is too many times the display quantity.',
  TIME_IN_FORCE: 'This order type does not take this time in force.',
  OPENING_OVER: 'Orders for the opening auction are taken until it has ended.',
  NOT_IN_AUCTION: 'While nothing is matched, orders that want trades at once are not taken.',
  EXPIRES_AT: 'The time at which the order would end is over, or too far away.',
  WOULD_TRIGGER_IMMEDIATELY: 'The market is at or beyond the stop price already.',
  MAX_OPEN_ORDERS: 'The account has as many open orders as it may.',
  ORDER_RATE: 'The account has placed too many orders that were not filled; wait.',
  REFUSAL_RATE: 'Too many requests of the account were refused; wait.',
  INSUFFICIENT_FUNDS: 'The available cash does not cover the order.',
  INSUFFICIENT_SHARES: 'The available shares do not cover the order.',
  WOULD_TAKE: 'A post-only order would trade at once.',
  ORDER_NOT_FOUND: 'There is no such order.',
  ORDER_NOT_OPEN: 'The order is not open any more.',
} as const;

export const RefusalCode = z.enum(
  Object.keys(REFUSALS) as [keyof typeof REFUSALS, ...(keyof typeof REFUSALS)[]],
);
export type RefusalCode = z.infer<typeof RefusalCode>;

/**
 * Whether the same request with the same key can succeed a little later without any change by the client. A recorded
 * refusal cannot: a repetition gets the same answer. A new code does not compile without its line here. A reply may
 * override its line: a `STALE_REQUEST` for a key from the near future says when to send it again.
 */
export const RETRYABLE = {
  IDEMPOTENCY_KEY_REQUIRED: false,
  IDEMPOTENCY_KEY_REUSED: false,
  REQUEST_IN_FLIGHT: true,
  IDEMPOTENCY_KEY_VERSION: false,
  STALE_REQUEST: false,
  OVERLOADED: true,
  REQUEST_LIMIT: true,
  UNAVAILABLE: true,
  READ_MODEL_BEHIND: true,
  FOREIGN_POSITION: false,
  // Only this connection can end one of its subscriptions; another connection can end a stream.
  TOO_MANY_SUBSCRIPTIONS: false,
  TOO_MANY_STREAMS: true,
  UNAUTHENTICATED: false,
  FORBIDDEN: false,
  WRONG_CREDENTIALS: false,
  SIGN_IN_LIMIT: true,
  PASSCODE_WRONG: false,
  PASSCODE_LOCKED: false,
  PASSCODE_LIMIT: true,
  REGISTRATION_NOT_FOUND: false,
  REGISTRATION_EXPIRED: false,
  CLIENT_NOT_FOUND: false,
  ACCOUNT_NOT_FOUND: false,
  ACCOUNT_NOT_ACTIVE: false,
  KILL_SWITCH: false,
  WALLET_LIMIT: false,
  BALANCE_LIMIT: false,
  UNKNOWN_SYMBOL: false,
  SYMBOL_ALREADY_LISTED: false,
  SYMBOL_HALTED: false,
  SYMBOL_NOT_HALTED: false,
  MARKET_CLOSED: false,
  TRADING_PHASE: false,
  MATCHING_RULES: false,
  SYMBOL_RULES: false,
  MATCHING_RULES_CURRENT: false,
  AMEND_PENDING: false,
  ORDER_LIST: false,
  ORDER_TYPE: false,
  AMEND_NO_CHANGE: false,
  AMEND_NOT_A_REDUCTION: false,
  DUPLICATE_CLIENT_ORDER_ID: false,
  ORDER_SIZE: false,
  LOT_STEP: false,
  PRICE_TICK: false,
  PRICE_BAND: false,
  MIN_NOTIONAL: false,
  MAX_NOTIONAL: false,
  ICEBERG_PEAKS: false,
  TIME_IN_FORCE: false,
  OPENING_OVER: false,
  NOT_IN_AUCTION: false,
  EXPIRES_AT: false,
  WOULD_TRIGGER_IMMEDIATELY: false,
  MAX_OPEN_ORDERS: false,
  ORDER_RATE: true,
  REFUSAL_RATE: true,
  INSUFFICIENT_FUNDS: false,
  INSUFFICIENT_SHARES: false,
  WOULD_TAKE: false,
  ORDER_NOT_FOUND: false,
  ORDER_NOT_OPEN: false,
} as const satisfies Record<RefusalCode, boolean>;
