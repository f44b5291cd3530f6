import { normalPassword } from '@brokerx/contracts';
import type { Caller } from './fairTurns.ts';
import type { Passwords } from './passwords.ts';

/**
 * The forms in which a typed password may have been hashed: today NFKC, and in the beginning as it was typed. Which
 * forms are tried depends on what was typed alone, so the work tells nothing about whose hash it is.
 */
export type PasswordForm = 'normal' | 'as typed';

/** In which form the password is the hash's; null when in none. `begin` as for `Passwords.verify`. */
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
