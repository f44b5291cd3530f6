import { normalPassword } from '@brokerx/contracts';
import type { Caller } from './fairTurns.ts';
import type { Passwords } from './passwords.ts';

/**
 * The form in which a password was hashed: normalized by NFKC, or, by the first versions, as it was typed. Which forms are
 * tried depends only on the typed password, so the amount of work tells nothing about the account.
 */
export type PasswordForm = 'normal' | 'as typed';

/** The form in which the password matches the hash; null if none does. `begin` is that of `Passwords.verify`. */
export async function matchingForm(
  passwords: Passwords,
  phc: string | null,
  typed: string,
  begin?: () => Promise<boolean> | boolean,
  caller?: Caller,
): Promise<PasswordForm | null> {
  const normal = normalPassword(typed);
  if (await passwords.verify(phc, normal, begin, caller)) return 'normal';
  if (normal !== typed && (await passwords.verify(phc, typed, begin, caller))) return 'as typed';
  return null;
}
