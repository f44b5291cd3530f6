import type { RefusalCode } from '@brokerx/contracts';

/** The refusal of a registration or sign-in command. `retryAfterMs` tells how long to wait, where waiting alone helps. */
export type Refused = { refused: RefusalCode; retryAfterMs?: number };
