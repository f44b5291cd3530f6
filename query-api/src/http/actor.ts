import type { Actor } from '@brokerx/infra/auth/tokenVerifier.ts';
import { refused } from './problems.ts';

/** Who may read what. Roles stand in the token; a route names those that may call it at all. */
export const EVERY_ROLE = ['trader', 'operator', 'analyst'] as const;
export const STAFF = ['operator', 'analyst'] as const;

export const mayReadAll = (actor: Actor): boolean => STAFF.some((role) => actor.roles.includes(role));

/** The account that is read: one's own, or for operators and analysts any. Another's does not exist for others. */
export function accountRead(actor: Actor, asked: string | undefined): string {
  if (asked === undefined || asked === actor.accountId || mayReadAll(actor)) return asked ?? actor.accountId;
  throw refused('ACCOUNT_NOT_FOUND');
}
