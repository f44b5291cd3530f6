import { NewPassword, registerBy } from '@brokerx/contracts';
import { isEasilyGuessed } from '../signIn/commonPasswords.ts';

/** The body of a registration. Common passwords are refused, and those made of what it tells about the person. */
export const registrationBody = (nowMs: () => number) =>
  registerBy(nowMs)
    .extend({ password: NewPassword.refine((password) => !isEasilyGuessed(password, {}), EASY_TO_GUESS) })
    .refine(({ password, ...person }) => !isEasilyGuessed(password, person), {
      path: ['password'],
      message: EASY_TO_GUESS,
      // Reported beside errors of other fields, but not in addition to one of the password itself.
      when: ({ value, issues }) =>
        typeof (value as { password?: unknown } | null)?.password === 'string' &&
        issues.every(({ path }) => path?.[0] !== 'password'),
    });

const EASY_TO_GUESS =
  'too easy to guess: a common password, a run of keys or something about you; three or four words of your own choice are a good one';
