import type { RefusalCode } from '@brokerx/contracts';

/** A command of people that is not carried out; `retryAfterMs`: when it may be, where time alone helps. */
export type Refused = { refused: RefusalCode; retryAfterMs?: number };
