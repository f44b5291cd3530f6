import { clientStream, emailStream, phoneStream } from '@brokerx/contracts';
import { LRUCache } from 'lru-cache';
import type { Mail, Mailer } from '../mail/mail.ts';
import { startTasks, type TaskDeps, type TaskList } from '../openTasks.ts';
import { normalizeEmail } from './lookups.ts';
import { clientKey, type People, unsealOf } from './people.ts';
import { holderOf } from './reservation.ts';

/**
 * Sends what a `PasscodeIssued` event asks for: the passcode, or, when the address or number is another client's,
 * a word to the mailbox, which alone may learn that. The code follows from the event, so nothing is lost when the
 * process dies before the mail is out; at worst the same mail is sent twice.
 */
type PasscodeTask = { id: string; clientId: string; expiresAt: string };

/** To one mailbox: who registers others' addresses again and again is not to fill them. */
const NOTICES_MAX = 3;
const NOTICES_WINDOW_MS = 3_600_000;
const NOTICED_MAX = 10_000;

export function startPasscodeMail(deps: TaskDeps & { people: People; mailer: Mailer }) {
  return startTasks(passcodeMail(deps), deps);
}

export function passcodeMail({ people, mailer }: { people: People; mailer: Mailer }): TaskList<PasscodeTask> {
  const { runtime } = people;
  const notices = new LRUCache<string, number[]>({ max: NOTICED_MAX });
  const mayNotice = (emailHmac: string) => {
    const nowMs = runtime.monotonicMs();
    const lately = (notices.get(emailHmac) ?? []).filter((atMs) => atMs > nowMs - NOTICES_WINDOW_MS);
    if (lately.length >= NOTICES_MAX) return false;
    notices.set(emailHmac, [...lately, nowMs]);
    return true;
  };
  const isOver = ({ expiresAt }: { expiresAt: string }) => Date.parse(expiresAt) <= runtime.nowMs();

  return {
    name: 'passcode-mail',
    version: 1,
    category: 'client',
    types: ['PasscodeIssued.v1'],
    opens({ event, stream }) {
      if (event.type !== 'PasscodeIssued.v1' || isOver(event.data)) return null;
      return {
        id: event.id,
        clientId: stream.slice(clientStream('').length),
        expiresAt: event.data.expiresAt,
      };
    },
    closes: () => null,
    async work(task) {
      if (isOver(task)) return 'done';
      const { state: client } = await people.clients.read(clientStream(task.clientId));
      // A newer passcode has a mail of its own; a used one needs none.
      if (client.status !== 'pending' || client.passcode?.eventId !== task.id) return 'done';
      const key = await clientKey(people, task.clientId);
      if (!key) return 'done';
      const to = normalizeEmail(unsealOf(key, client, 'email'));
      const obstacle = await obstacleOf(people, client);
      if (!obstacle) await mailer.send(passcodeLetter(to, people.lookups.passcode(task.clientId, task.id)));
      else if (mayNotice(client.emailHmac)) await mailer.send(noticeLetter(to, obstacle));
      return 'done';
    },
  };
}

type Obstacle = 'has an account' | 'is being registered' | 'telephone number in use';

async function obstacleOf(
  { reservations, runtime }: People,
  client: { clientId: string; emailHmac: string; phoneHmac: string },
): Promise<Obstacle | null> {
  const nowMs = runtime.nowMs();
  const { state: email } = await reservations.read(emailStream(client.emailHmac));
  const holder = holderOf(email, nowMs);
  if (holder === client.clientId) return null;
  if (holder !== null) return email.status === 'confirmed' ? 'has an account' : 'is being registered';
  const { state: phone } = await reservations.read(phoneStream(client.phoneHmac));
  const phoneHolder = holderOf(phone, nowMs);
  return phoneHolder === null || phoneHolder === client.clientId ? null : 'telephone number in use';
}

const passcodeLetter = (to: string, code: string): Mail => ({
  to,
  subject: `${code} is your BrokerX passcode`,
  text: `Your passcode is ${code}.

It is valid for ten minutes and for this registration only. Nobody of BrokerX will ever ask you for it.
If you did not register, ignore this mail: without the passcode no account is opened.
`,
});

const NOTICES: Record<Obstacle, string> = {
  'has an account': `Somebody, perhaps you, tried to register with this e-mail address. You already have an account: just sign in.
If it was not you, there is nothing to do: nothing was changed.`,
  'is being registered': `Somebody, perhaps you, tried to register with this e-mail address again. A registration is under way already:
use the passcode that was mailed for it, ask for another one, or begin anew in two hours.`,
  'telephone number in use': `Your registration cannot go on: the telephone number belongs to another account.
If you have an account, just sign in; otherwise register again with another number.`,
};

const noticeLetter = (to: string, obstacle: Obstacle): Mail => ({
  to,
  subject: 'Your BrokerX registration',
  text: `${NOTICES[obstacle]}\n`,
});
