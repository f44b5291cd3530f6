import { z } from 'zod';

/**
 * Rules for new passwords, and their one form. Keyboards compose the same letter in different ways (`é`, or `e` and an
 * accent), so a password is hashed in its NFKC form (NIST SP 800-63B §3.1.1.2). Only length counts, not composition.
 */
export const PASSWORD_CHARACTERS_MIN = 12;
export const PASSWORD_CHARACTERS_MAX = 256;

export const normalPassword = (typed: string): string => typed.normalize('NFKC');

/** Characters as people count them: an accent that was typed separately does not count. */
const lengthOf = (typed: string): number => [...normalPassword(typed)].length;

export const NewPassword = z
  .string()
  .min(PASSWORD_CHARACTERS_MIN, { abort: true })
  .max(PASSWORD_CHARACTERS_MAX, { abort: true })
  // UTF-8 encodes every half of a surrogate pair as the same bytes, so different passwords would hash alike.
  .refine((typed) => typed.isWellFormed(), { error: 'text without halves of surrogate pairs', abort: true })
  .refine((typed) => lengthOf(typed) >= PASSWORD_CHARACTERS_MIN, {
    error: `at least ${PASSWORD_CHARACTERS_MIN} characters, an accent that was typed apart not counted`,
    abort: true,
  });
