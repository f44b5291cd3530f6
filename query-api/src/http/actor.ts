import type { Actor } from '@brokerx/infra/auth/tokenVerifier.ts';
import { refused } from './problems.ts';

/** The roles that may read. The access token names the roles of its client; a route names the roles that may call it. */
export const EVERY_ROLE = ['trader', 'operator', 'analyst'] as const;
export const STAFF = ['operator', 'analyst'] as const;

export const mayReadAll = (actor: Actor): boolean => STAFF.some((role) => actor.roles.includes(role));

/**
 * The account that a request reads: the client's own unless it names another. Operators and analysts may name any; for
 * others no account but their own exists.
 */
export function accountRead(actor: Actor, requestedId: string | undefined): string {
  const accountId = requestedId ?? actor.accountId;
  if (accountId === actor.accountId || mayReadAll(actor)) return accountId;
  throw refused('ACCOUNT_NOT_FOUND');
}
