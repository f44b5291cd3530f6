import { REFUSALS, RETRYABLE, type RefusalCode } from '@brokerx/contracts';
import { Problem, type Runtime } from '@brokerx/infra';
import type { Refusal } from '../refusal.ts';

/** Refusals as HTTP has them. The record is total: a new code does not compile until it has a status. */
export const HTTP_STATUS = {
  IDEMPOTENCY_KEY_REQUIRED: 400,
  IDEMPOTENCY_KEY_REUSED: 422,
  REQUEST_IN_FLIGHT: 409,
  IDEMPOTENCY_KEY_VERSION: 422,
  STALE_REQUEST: 422,
  OVERLOADED: 503,
  REQUEST_LIMIT: 429,
  UNAVAILABLE: 503,
  READ_MODEL_BEHIND: 503,
  FOREIGN_POSITION: 409,
  TOO_MANY_SUBSCRIPTIONS: 429,
  TOO_MANY_STREAMS: 429,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  WRONG_CREDENTIALS: 401,
  SIGN_IN_LIMIT: 429,
  PASSCODE_WRONG: 422,
  PASSCODE_LOCKED: 422,
  PASSCODE_LIMIT: 429,
  REGISTRATION_NOT_FOUND: 404,
  REGISTRATION_EXPIRED: 410,
  CLIENT_NOT_FOUND: 404,
  ACCOUNT_NOT_FOUND: 404,
  ACCOUNT_NOT_ACTIVE: 422,
  KILL_SWITCH: 422,
  WALLET_LIMIT: 422,
  BALANCE_LIMIT: 422,
  UNKNOWN_SYMBOL: 422,
  SYMBOL_ALREADY_LISTED: 422,
  SYMBOL_HALTED: 422,
  SYMBOL_NOT_HALTED: 422,
  MARKET_CLOSED: 422,
  TRADING_PHASE: 422,
  MATCHING_RULES: 422,
  SYMBOL_RULES: 422,
  MATCHING_RULES_CURRENT: 422,
  DUPLICATE_CLIENT_ORDER_ID: 422,
  ORDER_SIZE: 422,
  LOT_STEP: 422,
  PRICE_TICK: 422,
  PRICE_BAND: 422,
  MIN_NOTIONAL: 422,
  MAX_NOTIONAL: 422,
  ICEBERG_PEAKS: 422,
  WOULD_TRIGGER_IMMEDIATELY: 422,
  EXPIRES_AT: 422,
  ORDER_TYPE: 422,
  TIME_IN_FORCE: 422,
  OPENING_OVER: 422,
  NOT_IN_AUCTION: 422,
  MAX_OPEN_ORDERS: 422,
  ORDER_RATE: 429,
  REFUSAL_RATE: 429,
  INSUFFICIENT_FUNDS: 422,
  INSUFFICIENT_SHARES: 422,
  WOULD_TAKE: 422,
  ORDER_NOT_FOUND: 404,
  ORDER_NOT_OPEN: 422,
  AMEND_PENDING: 422,
  AMEND_NO_CHANGE: 422,
  ORDER_LIST: 422,
  AMEND_NOT_A_REDUCTION: 422,
} as const satisfies Record<RefusalCode, number>;

export function problemOf(
  { code, detail, retryAfterSeconds }: Refusal,
  given: {
    headers?: Readonly<Record<string, string>>;
    cause?: unknown;
    status?: number;
    retryable?: boolean;
  } = {},
): Problem {
  const wait: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  return new Problem({
    status: given.status ?? HTTP_STATUS[code],
    code,
    title: REFUSALS[code],
    ...(detail === '' ? {} : { detail }),
    retryable: given.retryable ?? (RETRYABLE[code] || retryAfterSeconds !== undefined),
    headers: { ...wait, ...given.headers },
    cause: given.cause,
  });
}

/** Retries are spread over this many seconds, so that clients refused together do not return together. */
const RETRY_AFTER_MAX_SECONDS = 4;

export function tryLater(
  runtime: Runtime,
  code: 'OVERLOADED' | 'UNAVAILABLE' | 'REQUEST_IN_FLIGHT',
  given: { detail?: string; cause?: unknown } = {},
): Problem {
  const seconds = 1 + ((runtime.randomBytes(1)[0] ?? 0) % RETRY_AFTER_MAX_SECONDS);
  return problemOf(
    { code, detail: given.detail ?? '' },
    { headers: { 'retry-after': String(seconds) }, cause: given.cause },
  );
}
