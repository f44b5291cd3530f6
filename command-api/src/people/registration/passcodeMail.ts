import { clientStream } from '@brokerx/contracts';
import { asError, type BackOff, backOffMs, mintTraceparent } from '@brokerx/infra';
import { type Mailer, MailNotTaken } from '../../mail/mail.ts';
import { startTasks, type TaskDeps, type TaskList } from '../../tasks/openTasks.ts';
import { type Client, isRegistered } from '../client.ts';
import { beginMail, type Decision, MAIL_ATTEMPTS_MAX, mailFailed } from '../decider.ts';
import { causeOf, clientKey, type People, unsealOf } from '../people.ts';
import { letterFor } from './passcodeLetters.ts';

/**
 * Sends the mail that a `PasscodeIssued` event asks for: the passcode, or a notice where the address belongs to another
 * client. Only the mailbox may learn that, so the recorded events are the same in both cases.
 *
 * A mail is sent at most once: its beginning is recorded before the mail server hears of it, and after a crash it is not
 * sent again. Only if the server certainly has not taken it, it is tried again, for as long as the passcode is valid. A
 * final refusal by the server ends it.
 */
type PasscodeTask = {
  id: string;
  clientId: string;
  expiresAt: string;
  /** Missing in tasks that an older version saved. */
  traceparent?: string;
};

/** Waits between attempts: doubled up to a minute, for which servers usually put off a sender whom they do not know yet. */
const RETRY: BackOff = { firstMs: 1_000, lastMs: 60_000 };

export function startPasscodeMail(deps: TaskDeps & { people: People; mailer: Mailer }) {
  return startTasks(passcodeMail(deps), deps);
}

export function passcodeMail({ people, mailer }: { people: People; mailer: Mailer }): TaskList<PasscodeTask> {
  const { runtime, log } = people;
  const hasExpired = ({ expiresAt }: { expiresAt: string }) => Date.parse(expiresAt) <= runtime.nowMs();
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
      if (event.type !== 'PasscodeIssued.v1' || hasExpired(event.data)) return null;
      return {
        id: event.id,
        clientId: stream.slice(clientStream('').length),
        expiresAt: event.data.expiresAt,
        traceparent: event.traceparent,
      };
    },
    closes: () => null,
    async work(task) {
      if (hasExpired(task)) return 'done';
      const { clientId, id: passcodeId } = task;
      const { state: client } = await people.clients.read(clientStream(clientId));
      const key = await clientKey(people, clientId);
      if (client.status !== 'pending' || !key) return 'done';
      const email = unsealOf(key, client, 'email');
      const letter = await letterFor(people, client, { email, passcodeId });
      // Nothing is begun for a passcode that was replaced or used, or whose mail was begun before.
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
