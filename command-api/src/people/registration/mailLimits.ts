import { networkOf, type Tallies } from '@brokerx/infra';
import type { Lookups } from '../lookups.ts';
import type { Refused } from '../refused.ts';

/**
 * How many passcodes are mailed: to one mailbox, whatever its sub-addresses; for one network of callers; and in all.
 * What is counted is that a mail is asked for, whether or not the address is known: the limits tell nobody.
 */
export type MailLimits = {
  /** Counts one more; a refusal where it would be one too many. */
  take(mail: { email: string; ip: string }): Promise<Refused | null>;
  /** Counts a reminder; false where the mailbox, whatever its sub-addresses, had one lately. */
  mayRemind(email: string): Promise<boolean>;
};

export type MailLimitSettings = { perMailboxMax: number; perNetworkMax: number; inAllMax: number };

const MAIL_WINDOW_MS = 3_600_000;
/** Mailboxes and networks that a process remembers, some 200 bytes each. */
const KEYS_MAX = 100_000;
/** In the window, to one mailbox: who registered several times, or was registered by others, is reminded once. */
const REMINDERS_MAX = 1;
const IN_ALL = 'in all';

export function mailLimits(
  tallies: Tallies,
  { perMailboxMax, perNetworkMax, inAllMax }: MailLimitSettings,
  lookups: Pick<Lookups, 'mailboxHmac'>,
): MailLimits {
  const mails = (of: string) =>
    tallies.tally(`passcode-mails-${of}`, { windowMs: MAIL_WINDOW_MS, keysMax: KEYS_MAX });
  const [networks, mailboxes, all] = [mails('network'), mails('mailbox'), mails('all')];
  const reminders = tallies.tally('registration-reminders', { windowMs: MAIL_WINDOW_MS, keysMax: KEYS_MAX });
  return {
    async take({ email, ip }) {
      // Who is over his own limit takes nothing of the limits that he shares.
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
