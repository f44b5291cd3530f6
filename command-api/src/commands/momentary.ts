import { type AccountFact, RETRYABLE } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import { ratesAt, secondsLeft } from '../account/rates.ts';
import type { Refusal } from '../refusal.ts';

/**
 * Refusals of the moment: what a repetition a little later can mend. They are recorded in no event and kept under no
 * key, so that the same key may be sent again and is decided anew.
 *
 * One of them bounds all the other refusals: each recorded one costs an append and a row of every projection. What is
 * beyond the rate is not recorded any more; what would not be refused is never touched by it.
 */
export function momentaryRefusal(
  account: Account,
  fact: AccountFact,
  { nowMs, refusalsPerMinute }: { nowMs: number; refusalsPerMinute: number },
): Refusal | null {
  if (fact.type !== 'OrderRefused.v1' && fact.type !== 'CommandRefused.v1') return null;
  const { code, detail } = fact.data;
  const retryAfterSeconds = secondsLeft(account.rates, nowMs);
  if (RETRYABLE[code]) return { code, detail, retryAfterSeconds };
  if (account.quotasOff) return null;
  const { refusedOrders, refusedOthers } = ratesAt(account.rates, nowMs);
  const ofOrder = fact.type === 'OrderRefused.v1';
  if ((ofOrder ? refusedOrders : refusedOthers) < refusalsPerMinute) return null;
  const what = ofOrder ? 'orders' : 'cancels, changes and transfers';
  return {
    code: 'REFUSAL_RATE',
    detail: `${refusalsPerMinute} ${what} were refused in this minute; this one would be for ${code}: ${detail}`,
    retryAfterSeconds,
  };
}
