import assert from 'node:assert/strict';
import type { AccountFact } from '@brokerx/contracts';

/** One type of fact that an account records, or one of several. */
export type FactOf<T extends AccountFact['type']> = Extract<AccountFact, { type: T }>;

/** The fact as one of the types that the command can have been answered with. */
export function expectFact<T extends AccountFact['type']>(fact: AccountFact, ...types: T[]): FactOf<T> {
  assert(
    types.some((type) => type === fact.type),
    `${fact.type} is no answer to this command`,
  );
  return fact as FactOf<T>;
}
