import { comparableEmail, emailStream } from '@brokerx/contracts';
import type { Mail } from '../../mail/mail.ts';
import type { RegisteredClient } from '../client.ts';
import type { People } from '../people.ts';

/** What is mailed for a passcode that was issued: it, or, where the address is another client's, a word to its owner. */
export async function letterFor(
  { reservations, lookups }: Pick<People, 'reservations' | 'lookups'>,
  { clientId, emailHmac }: RegisteredClient,
  { email, passcodeId }: { email: string; passcodeId: string },
): Promise<Mail> {
  const to = comparableEmail(email);
  const { state: address } = await reservations.read(emailStream(emailHmac));
  const isAnothers = address.status === 'confirmed' && address.clientId !== clientId;
  return isAnothers ? noticeLetter(to) : passcodeLetter(to, lookups.passcode(clientId, passcodeId));
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
