import { REFUSALS, RETRYABLE, type RefusalCode } from '@brokerx/contracts';
import { Problem } from '@brokerx/infra/http/problem.ts';

/** The refusals of this service, each with its HTTP status. */
const STATUS = {
  READ_MODEL_BEHIND: 503,
  FOREIGN_POSITION: 409,
  OVERLOADED: 503,
  UNAVAILABLE: 503,
  TOO_MANY_SUBSCRIPTIONS: 429,
  TOO_MANY_STREAMS: 429,
  REQUEST_LIMIT: 429,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  ACCOUNT_NOT_FOUND: 404,
  ORDER_NOT_FOUND: 404,
  UNKNOWN_SYMBOL: 404,
} as const satisfies Partial<Record<RefusalCode, number>>;
export type QueryRefusal = keyof typeof STATUS;

/** Seconds after which a client may try again: projections and servers are rarely behind for longer. */
const RETRY_AFTER_SECONDS = 1;

export function refused(code: QueryRefusal, detail?: string, cause?: unknown): Problem {
  const status = STATUS[code];
  return new Problem({
    status,
    code,
    title: REFUSALS[code],
    ...(detail === undefined ? {} : { detail }),
    retryable: RETRYABLE[code],
    ...(RETRYABLE[code] ? { headers: { 'retry-after': String(RETRY_AFTER_SECONDS) } } : {}),
    cause,
  });
}

/** Refuses a parameter that has the right type and no valid value. */
export const invalidParameter = (pointer: string, detail: string): Problem =>
  new Problem({
    status: 400,
    code: 'INVALID_REQUEST',
    title: 'The request does not have the form that is expected.',
    errors: [{ pointer, code: 'INVALID_VALUE', detail }],
  });
