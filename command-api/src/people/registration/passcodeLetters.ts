import { comparableEmail, timeOf } from '@brokerx/contracts';
import type { Mail } from '../../mail/mail.ts';
import type { RegisteredClient } from '../client.ts';
import type { People } from '../people.ts';
import { addressOf } from './addresses.ts';

type LetterDeps = Pick<People, 'clients' | 'reservations' | 'lookups'>;

/** The mail for an issued passcode: the passcode, or a notice where the address belongs to another client. */
export async function letterFor(
  people: LetterDeps,
  client: RegisteredClient,
  { email, passcodeId }: { email: string; passcodeId: string },
): Promise<Mail> {
  const to = comparableEmail(email);
  if (await belongsToAnother(people, client)) return noticeLetter(to);
  return passcodeLetter(to, people.lookups.passcode(client.clientId, passcodeId));
}

/** The mail that a registration ends soon; null where the address belongs to another client, who has had the notice. */
export async function reminderFor(
  people: LetterDeps,
  client: RegisteredClient,
  { email, endMs }: { email: string; endMs: number },
): Promise<Mail | null> {
  if (await belongsToAnother(people, client)) return null;
  return reminderLetter(comparableEmail(email), { registrationId: client.clientId, endMs });
}

async function belongsToAnother(
  people: LetterDeps,
  { clientId, emailHmac }: RegisteredClient,
): Promise<boolean> {
  const { owner } = await addressOf(people, emailHmac);
  return owner !== null && owner !== clientId;
}

const passcodeLetter = (to: string, code: string): Mail => ({
  to,
  subject: `${code} is your BrokerX passcode`,
  text: `Your passcode is ${code}.

It is valid for ten minutes and for this registration only. Nobody of BrokerX will ever ask you for it.
If you did not register, ignore this mail: without the passcode no account is opened.
`,
});

const noticeLetter = (to: string): Mail => ({
  to,
  subject: 'Your BrokerX registration',
  text: `Somebody, perhaps you, tried to register with this e-mail address. You already have an account: just sign in with
this address and the password that you chose then. If you no longer know the password, or somebody else may know it,
ask whoever runs this BrokerX: an operator can end all sessions of your account at once.
If it was not you, there is nothing to do: nothing was changed, and whoever it was has not learned that you are here.
`,
});

const reminderLetter = (
  to: string,
  { registrationId, endMs }: { registrationId: string; endMs: number },
): Mail => ({
  to,
  subject: 'Your BrokerX registration ends soon',
  text: `You registered with BrokerX and have not confirmed it yet. At ${timeOf(endMs)} the registration ends, and what you
entered is deleted.

If you still want the account, ask for another passcode where you registered, before then, and enter it within ten minutes.
The registration is ${registrationId}.
If you do not want it, or did not register, there is nothing to do.
`,
});
