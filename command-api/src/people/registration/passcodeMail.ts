import { clientStream } from '@brokerx/contracts';
import { asError, type BackOff, backOffMs, mintTraceparent } from '@brokerx/infra';
import { type Mailer, MailNotTaken } from '../../mail/mail.ts';
import { startTasks, type TaskDeps, type TaskList } from '../../tasks/openTasks.ts';
import { type Client, isRegistered } from '../client.ts';
import { beginMail, type Decision, MAIL_ATTEMPTS_MAX, mailFailed } from '../decider.ts';
import { causeOf, clientKey, type People, unsealOf } from '../people.ts';
import { letterFor } from './passcodeLetters.ts';

/**
 * Sends what a `PasscodeIssued` event asks for: the passcode, or, when the address is another client's, a word to the
 * mailbox, which alone may learn that. Either way the same is recorded, so that nothing which others can see tells.
 *
 * A mail goes out at most once: its beginning is on record before the mail server hears of it, and whoever takes over
 * after a crash leaves it alone. Only where the server certainly has not taken it, it is tried again, for as long as
 * the passcode is valid; a server's final refusal ends it.
 */
type PasscodeTask = {
  id: string;
  clientId: string;
  expiresAt: string;
  /** Missing in tasks that an older version saved. */
  traceparent?: string;
};

/** Waits between tries: a second, doubled up to a minute, which is how long servers that know nobody yet put one off. */
const RETRY: BackOff = { firstMs: 1_000, lastMs: 60_000 };

export function startPasscodeMail(deps: TaskDeps & { people: People; mailer: Mailer }) {
  return startTasks(passcodeMail(deps), deps);
}

export function passcodeMail({ people, mailer }: { people: People; mailer: Mailer }): TaskList<PasscodeTask> {
  const { runtime, log } = people;
  const isOver = ({ expiresAt }: { expiresAt: string }) => Date.parse(expiresAt) <= runtime.nowMs();
  const record = (task: PasscodeTask, decide: (client: Client) => Decision) => {
    const { id: causationId, clientId, traceparent = mintTraceparent(runtime) } = task;
    const cause = { ...causeOf(people, 'system:passcode-mail', { traceparent }), causationId };
    return people.clients.execute(clientStream(clientId), cause, (client) => ({
      facts: decide(client).facts,
      reply: null,
    }));
  };

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
        traceparent: event.traceparent,
      };
    },
    closes: () => null,
    async work(task) {
      if (isOver(task)) return 'done';
      const { clientId, id: passcodeId } = task;
      const { state: client } = await people.clients.read(clientStream(clientId));
      const key = await clientKey(people, clientId);
      if (client.status !== 'pending' || !key) return 'done';
      const email = unsealOf(key, client, 'email');
      const letter = await letterFor(people, client, { email, passcodeId });
      // A newer passcode has a mail of its own, a used one needs none, and one that was begun is out of our hands.
      const { appended, state } = await record(task, (state) => beginMail(state, { passcodeId }));
      if (!appended) return 'done';
      const attempts = (isRegistered(state) && state.passcode?.mailAttempts) || 1;
      try {
        await mailer.send(letter);
        return 'done';
      } catch (error) {
        if (!(error instanceof MailNotTaken)) {
          log.warn(
            { reason: asError(error).message, clientId },
            'a passcode may have been mailed or not; it is not mailed again',
          );
          return 'done';
        }
        const final = error.final || attempts >= MAIL_ATTEMPTS_MAX;
        await record(task, (state) => mailFailed(state, { passcodeId, final, reply: error.reply }));
        log[error.away ? 'debug' : 'warn'](
          { reason: error.message, clientId, attempts },
          final ? 'a passcode is not mailed' : 'a passcode is mailed again',
        );
        if (final) return 'done';
        return { againInMs: backOffMs(attempts, RETRY) };
      }
    },
  };
}
