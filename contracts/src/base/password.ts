import { z } from 'zod';

/**
 * Passwords as text. Keyboards compose the same letter in different ways (`é`, or `e` and an accent; full-width digits):
 * a password is hashed in one form, NFKC, as NIST SP 800-63B §3.1.1.2 has it. Length matters, composition rules do not.
 */
export const PASSWORD_CHARACTERS_MIN = 12;
export const PASSWORD_CHARACTERS_MAX = 256;

export const normalPassword = (typed: string): string => typed.normalize('NFKC');

/** Characters as people count them, after the form: accents that were typed apart are none of their own. */
const lengthOf = (typed: string): number => [...normalPassword(typed)].length;

export const NewPassword = z
  .string()
  .min(PASSWORD_CHARACTERS_MIN, { abort: true })
  .max(PASSWORD_CHARACTERS_MAX, { abort: true })
  // Two different halves of surrogate pairs are the same bytes to a hash.
  .refine((typed) => typed.isWellFormed(), { error: 'text without halves of surrogate pairs', abort: true })
  .refine((typed) => lengthOf(typed) >= PASSWORD_CHARACTERS_MIN, {
    error: `at least ${PASSWORD_CHARACTERS_MIN} characters, an accent that was typed apart not counted`,
    abort: true,
  });
