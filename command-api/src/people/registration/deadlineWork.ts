import { type Event, keyOfStream } from '@brokerx/contracts';
import { asError, isErased, type Recorded, sleep } from '@brokerx/infra';
import { type Mail, type Mailer, MailNotTaken } from '../../mail/mail.ts';
import { type DelayedWork, startDelayedWalk, type WalkDeps } from '../../tasks/delayedWalk.ts';
import { evenPace } from '../../tasks/evenPace.ts';
import type { Client } from '../client.ts';
import { type Decision, PASSCODE_VALID_MS } from '../decider.ts';
import { causeOf, clientKey, type People, unsealOf } from '../people.ts';
import { awaitsConfirmation, beginReminder, endsAtMs, expire } from './deadlines.ts';
import { reminderFor } from './passcodeLetters.ts';

/**
 * Reminds of registrations that nobody confirms, and later ends them. The end is recorded first, so that a confirmation
 * before it keeps the account and one after it is refused. Then the client's key is destroyed, which is tried until the
 * vault has done it. A reminder is mailed at most once: its beginning is recorded before the mail server hears of it.
 */
export type DeadlineSettings = {
  /** How long before the end the reminder is mailed; 0: not at all. */
  remindBeforeMs: number;
  /** Reminders, and ends, recorded in a second, so that what piled up during an outage does not slow trading. */
  perSecondMax: number;
};
type Deps = { people: People; mailer: Mailer; settings: DeadlineSettings };

/** Attempts to mail a reminder that the server does not take now, and the wait between them. */
const REMINDER_ATTEMPTS_MAX = 3;
const REMINDER_RETRY_MS = 60_000;

export function startRegistrationDeadlines(deps: WalkDeps & Deps): { close(): Promise<void> } {
  const works = deps.settings.remindBeforeMs === 0 ? [expiries(deps)] : [reminders(deps), expiries(deps)];
  const walks = works.map((work) => startDelayedWalk(work, deps));
  return {
    async close() {
      await Promise.all(walks.map((walk) => walk.close()));
    },
  };
}

const REGISTRATIONS = {
  version: 1,
  category: 'client',
  opens: 'ClientRegistered.v1',
  closes: 'ClientVerified.v1',
} as const;

export function expiries({ people, settings }: Omit<Deps, 'mailer'>): DelayedWork {
  const { clients, vault, runtime, openMs } = people;
  const waitForTurn = evenPace(runtime, settings.perSecondMax);
  return {
    ...REGISTRATIONS,
    name: 'registration-expiry',
    // A passcode may be sent at the last moment: it must have expired, too.
    delayMs: openMs + PASSCODE_VALID_MS,
    async work({ event, stream }, stopping) {
      let { state: client } = await clients.read(stream);
      if (awaitsConfirmation(client)) {
        const leftMs = endsAtMs(client, openMs) - runtime.nowMs();
        if (leftMs > 0) return { againInMs: leftMs };
        await waitForTurn(stopping);
        client = (await record(people, { event, stream }, expire)).state;
      }
      if (client.status !== 'expired') return 'done';
      const clientId = keyOfStream(stream);
      const key = await vault.key(clientId);
      if (key && !isErased(key)) await vault.destroy(clientId);
      return 'done';
    },
  };
}

export function reminders({ people, mailer, settings }: Deps): DelayedWork {
  const { clients, mailLimits, runtime, openMs } = people;
  const waitForTurn = evenPace(runtime, settings.perSecondMax);
  return {
    ...REGISTRATIONS,
    name: 'registration-reminders',
    delayMs: Math.max(0, openMs - settings.remindBeforeMs),
    async work({ event, stream }, stopping) {
      const endMs = Date.parse(event.time) + openMs;
      if (runtime.nowMs() >= endMs) return 'done';
      const { state: client } = await clients.read(stream);
      const key = await clientKey(people, keyOfStream(stream));
      if (!awaitsConfirmation(client) || !key) return 'done';
      const email = unsealOf(key, client, 'email');
      const letter = await reminderFor(people, client, { email, endMs });
      await waitForTurn(stopping);
      const { appended } = await record(people, { event, stream }, beginReminder);
      if (!appended || !letter || !(await mailLimits.mayRemind(email))) return 'done';
      await mailOnce(letter, { people, mailer }, stopping);
      return 'done';
    },
  };
}

function record(
  people: People,
  { event, stream }: Pick<Recorded<Event>, 'event' | 'stream'>,
  decide: (client: Client, moment: { nowMs: number; openMs: number }) => Decision,
) {
  const { clients, runtime, openMs } = people;
  const { id: causationId, traceparent } = event;
  const cause = { ...causeOf(people, 'system:registration-deadlines', { traceparent }), causationId };
  return clients.execute(stream, cause, (client) => ({
    facts: decide(client, { nowMs: runtime.nowMs(), openMs }).facts,
    reply: null,
  }));
}

async function mailOnce(
  letter: Mail,
  { people: { runtime, log }, mailer }: Omit<Deps, 'settings'>,
  stopping: AbortSignal,
): Promise<void> {
  for (let attempt = 1; !stopping.aborted; attempt++) {
    try {
      await mailer.send(letter);
      return;
    } catch (err) {
      if (!(err instanceof MailNotTaken)) {
        log.warn(
          { reason: asError(err).message },
          'a reminder may have been mailed or not; it is not mailed again',
        );
        return;
      }
      const isLast = err.final || attempt >= REMINDER_ATTEMPTS_MAX;
      log[err.away ? 'debug' : 'warn'](
        { reason: err.message, attempt },
        isLast ? 'a reminder is not mailed' : 'a reminder is mailed again',
      );
      if (isLast) return;
      await sleep(runtime, REMINDER_RETRY_MS, stopping);
    }
  }
}
