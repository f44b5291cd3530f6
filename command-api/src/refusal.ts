import type { AccountFact, RefusalCode } from '@brokerx/contracts';

/** Why a command is not carried out. Decisions return it instead of facts. */
export type Refusal = {
  code: RefusalCode;
  detail: string;
  /** Seconds after which the same request may be sent again. */
  retryAfterSeconds?: number;
};

type RefusedCommand = Extract<AccountFact, { type: 'CommandRefused.v1' }>['data']['command'];

/** The fact that records the refusal of a command on an account; refused orders have a fact of their own. */
export const refused = (command: RefusedCommand, subjectId: string, refusal: Refusal): AccountFact => ({
  type: 'CommandRefused.v1',
  data: { command, subjectId, code: refusal.code, detail: refusal.detail },
});

/** Throws where the schemas of requests rule a case out: reaching it is a bug, not a refusal. */
export function raise(message: string): never {
  throw new Error(message);
}
