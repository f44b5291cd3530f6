import type { AccountFact, RefusalCode } from '@brokerx/contracts';

/** Why a command is not carried out: what every decision here returns instead of facts. */
export type Refusal = {
  code: RefusalCode;
  detail: string;
  /** The same request may be sent again then. */
  retryAfterSeconds?: number;
};

type RefusedCommand = Extract<AccountFact, { type: 'CommandRefused.v1' }>['data']['command'];

/** A refusal as an account records it; a refused order has a fact of its own. */
export const refused = (command: RefusedCommand, subjectId: string, refusal: Refusal): AccountFact => ({
  type: 'CommandRefused.v1',
  data: { command, subjectId, code: refusal.code, detail: refusal.detail },
});

/** For what the schemas of requests have ruled out: a bug, not a refusal. */
export function raise(message: string): never {
  throw new Error(message);
}
