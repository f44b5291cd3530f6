import { type AccountFact, RETRYABLE } from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import { ratesAt, secondsLeft } from '../account/rates.ts';
import type { Refusal } from '../refusal.ts';

/**
 * Returns the refusal if it is one of the moment: a repetition a little later may succeed. Such a refusal is recorded in no
 * event and under no key, so the same key may be sent again and is decided anew.
 *
 * `REFUSAL_RATE` bounds the other refusals, since each recorded refusal costs an append and a row of every projection.
 * Refusals beyond the rate are not recorded. The rate never refuses a command that would otherwise succeed.
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
