import { networkOf, type Tallies } from '@brokerx/infra';
import type { Lookups } from '../lookups.ts';
import type { Refused } from '../refused.ts';

/**
 * Limits the passcodes mailed to one mailbox (all its sub-addresses together), for one network of callers, and in all.
 * Requests are counted whether or not the address is known, so the limits do not tell whether it is.
 */
export type MailLimits = {
  /** Counts a passcode mail; a refusal when it is one too many. */
  take(mail: { email: string; ip: string }): Promise<Refused | null>;
  /** Counts a reminder; false when the mailbox had one within the window. */
  mayRemind(email: string): Promise<boolean>;
};

export type MailLimitSettings = { perMailboxMax: number; perNetworkMax: number; inAllMax: number };

const MAIL_WINDOW_MS = 3_600_000;
/** Mailboxes and networks that a process counts, some 200 bytes each. */
const KEYS_MAX = 100_000;
/** Reminders to one mailbox in the window: somebody with several registrations is reminded once. */
const REMINDERS_MAX = 1;
const IN_ALL = 'in all';

export function mailLimits(
  tallies: Tallies,
  { perMailboxMax, perNetworkMax, inAllMax }: MailLimitSettings,
  lookups: Pick<Lookups, 'mailboxHmac'>,
): MailLimits {
  const tallyOf = (kind: string) =>
    tallies.tally(`passcode-mails-${kind}`, { windowMs: MAIL_WINDOW_MS, keysMax: KEYS_MAX });
  const [networks, mailboxes, all] = [tallyOf('network'), tallyOf('mailbox'), tallyOf('all')];
  const reminders = tallies.tally('registration-reminders', { windowMs: MAIL_WINDOW_MS, keysMax: KEYS_MAX });
  return {
    async take({ email, ip }) {
      // The caller's own limit comes first: who exceeds it does not use up those that he shares.
      for (const [tally, key, max] of [
        [networks, networkOf(ip), perNetworkMax],
        [mailboxes, lookups.mailboxHmac(email), perMailboxMax],
        [all, IN_ALL, inAllMax],
      ] as const) {
        const { count, leftMs } = await tally.count(key);
        if (count > max) return { refused: 'PASSCODE_LIMIT', retryAfterMs: leftMs };
      }
      return null;
    },
    mayRemind: async (email) => (await reminders.count(lookups.mailboxHmac(email))).count <= REMINDERS_MAX,
  };
}
