/** What pages of allowed origins may send to the APIs and read of their replies (CORS), the same for every gateway. */
export const CORS_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export const CORS_REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'Last-Event-ID',
  'X-BrokerX-Position',
  'traceparent',
] as const;
export const CORS_REPLY_HEADERS = [
  'X-BrokerX-Position',
  'X-Request-Id',
  'Retry-After',
  'Location',
  'Idempotent-Replayed',
  'traceparent',
] as const;
/** Seconds for which a browser remembers the answer to a preflight request. */
export const CORS_MAX_AGE_SECONDS = 600;
