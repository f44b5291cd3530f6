import {
  type Cause,
  clientStream,
  eventIdOf,
  normalPassword,
  type Register,
  seal,
  type views,
} from '@brokerx/contracts';
import { type ClientKey, ERASED, isErased } from '@brokerx/infra';
import type { z } from 'zod';
import type { RequestKey } from '../../commands/requestKey.ts';
import { openAccount } from '../../money/money.ts';
import { type Client, isRegistered, type RegisteredClient } from '../client.ts';
import { type Decision, register, resendPasscode, verifyPasscode } from '../decider.ts';
import { accountIdOf, clientIdOf } from '../lookups.ts';
import {
  type Answer,
  causeOf,
  clientKey,
  type People,
  type RequestContext,
  requestHash,
  sealer,
  unsealOf,
  withoutKey,
} from '../people.ts';
import type { Refused } from '../refused.ts';
import { confirmAddress } from './addresses.ts';

/**
 * Carries out registrations. A registration records the client with a passcode. The right passcode opens the account, gives
 * the e-mail address to the client, and verifies the client, in this order. Each step is recorded before the next one, and
 * does nothing when it is done already, so a request repeated after a crash goes on where the first one stopped.
 *
 * Nobody learns here whether an address is taken, because registration does not look: a passcode is always issued, and only
 * the mailbox is told that the address has an owner (`passcodeMail.ts`). A telephone number is stored and proves nothing:
 * several clients may give the same one.
 */
export type RegistrationView = z.infer<typeof views.RegistrationView>;
type RegistrationAnswer = Answer<RegistrationView>;

export async function registerClient(
  people: People,
  body: Register,
  context: RequestContext,
): Promise<RegistrationAnswer> {
  const { clients, vault, lookups, passwords, runtime } = people;
  const clientId = clientIdOf(context.key);
  const stream = clientStream(clientId);
  const current = await clients.read(stream);
  const { ip: address, isGone } = context;
  // Limits come before the client's key, because a key is kept for ever.
  const mailRefusal =
    current.state.status === 'unknown'
      ? await people.mailLimits.take({ email: body.email, ip: address })
      : null;
  if (mailRefusal) return mailRefusal;
  const key = current.state.status === 'expired' ? ERASED : await vault.createKey(clientId);
  if (isErased(key)) return { refused: 'REGISTRATION_EXPIRED' };
  const requestKey = { id: context.key, hash: requestHash(key, 'Register', body) };
  const replay = earlierReply(current.state, requestKey);
  if (replay) return answerOf(replay, current.position);

  const caller = { kind: 'registration', address, isGone } as const;
  const passwordHash = await passwords.hash(normalPassword(body.password), caller);
  const cause = causeOf(people, `client:${clientId}`, { ...context, key: requestKey });
  const { reply, position } = await clients.execute(stream, cause, (client, commitId) => {
    const earlier = earlierReply(client, requestKey);
    if (earlier) return { facts: [], reply: earlier };
    const [registeredId, issuedId] = [eventIdOf(commitId, 0), eventIdOf(commitId, 1)];
    const decision = register(client, {
      registration: {
        clientId,
        emailHmac: lookups.emailHmac(body.email),
        phoneHmac: lookups.phoneHmac(body.phone),
        ...sealedRegistration(people, key, registeredId, { ...body, passwordHash }),
        accountId: accountIdOf(clientId),
        roles: ['trader'],
      },
      passcode: { codeHmac: codeHmacOf(people, clientId, issuedId), nowMs: runtime.nowMs() },
    });
    return { facts: decision.facts, reply: { view: pendingView(clientId), replayed: false } };
  });
  return answerOf(reply, position);
}

export async function sendPasscodeAgain(
  people: People,
  clientId: string,
  context: RequestContext,
): Promise<RegistrationAnswer> {
  const registration = await openRegistration(people, clientId, context, 'ResendPasscode', {});
  if ('refused' in registration) return registration;
  const { client, key, cause, requestKey } = registration;
  const { openMs } = people;
  const nowMs = people.runtime.nowMs();
  const isSent = (decision: Decision) => decision.facts.length > 0;
  if (!earlierReply(client, requestKey) && isSent(resendPasscode(client, { codeHmac: '', nowMs, openMs }))) {
    const email = unsealOf(key, client, 'email');
    const mailRefusal = await people.mailLimits.take({ email, ip: context.ip });
    if (mailRefusal) return mailRefusal;
  }
  const { reply, position } = await people.clients.execute(
    clientStream(clientId),
    cause,
    (state, commitId) => {
      const earlier = earlierReply(state, requestKey);
      if (earlier) return { facts: [], reply: earlier };
      const codeHmac = codeHmacOf(people, clientId, eventIdOf(commitId, 0));
      const decision = resendPasscode(state, { codeHmac, nowMs, openMs });
      return { facts: decision.facts, reply: replyTo(decision, state) };
    },
  );
  return answerOf(reply, position);
}

export async function verifyRegistration(
  people: People,
  clientId: string,
  body: { code: string },
  context: RequestContext,
): Promise<RegistrationAnswer> {
  const { clients, lookups, runtime } = people;
  const registration = await openRegistration(people, clientId, context, 'VerifyRegistration', body);
  if ('refused' in registration) return registration;
  const { client: registered, cause, requestKey } = registration;
  let accountIsOpen = false;
  for (;;) {
    const { reply, position } = await clients.execute<Reply | 'open the account first'>(
      clientStream(clientId),
      cause,
      (client) => {
        const earlier = earlierReply(client, requestKey);
        if (earlier) return { facts: [], reply: earlier };
        const passcode = isRegistered(client) ? client.passcode : null;
        const codeHmac = lookups.passcodeHmac(clientId, passcode?.eventId ?? '', body.code);
        const decision = verifyPasscode(client, { codeHmac, nowMs: runtime.nowMs() });
        if (!decision.refused && !accountIsOpen) return { facts: [], reply: 'open the account first' };
        return {
          facts: decision.facts,
          reply: decision.refused
            ? replyTo(decision, client)
            : { view: verifiedView(registered), replayed: false },
        };
      },
    );
    if (reply !== 'open the account first') return answerOf(reply, position);
    await openAccountOf(people, registered, cause);
    // The code is right, but the address belongs to somebody else by now: the sender learns only that the code does not work.
    if (!(await confirmAddress(people, registered, cause))) return { refused: 'PASSCODE_WRONG' };
    accountIsOpen = true;
  }
}

export async function openAccountOf(
  people: People,
  { clientId, accountId }: { clientId: string; accountId: string },
  cause: Cause,
): Promise<void> {
  await people.accounts.execute(accountId, (account, { commitId }) => {
    const facts = openAccount(account, { accountId, clientId });
    if (facts.length === 0) return { reply: null, rests: 'present' };
    return { events: seal(commitId, withoutKey(cause), facts), symbol: null };
  });
}

/** The personal fields of a registration, sealed for the event that records it. */
export function sealedRegistration(
  people: People,
  key: ClientKey,
  eventId: string,
  person: Omit<Register, 'password'> & { passwordHash: string },
) {
  const sealed = sealer(people, key, eventId);
  return {
    name: sealed('name', person.name),
    address: sealed('address', person.address),
    birthDate: sealed('birthDate', person.birth_date),
    email: sealed('email', person.email.trim()),
    phone: sealed('phone', person.phone),
    passwordHash: sealed('passwordHash', person.passwordHash),
  };
}

const codeHmacOf = ({ lookups }: People, clientId: string, eventId: string) =>
  lookups.passcodeHmac(clientId, eventId, lookups.passcode(clientId, eventId));

type Reply = { view: RegistrationView; replayed: boolean } | Refused;

type OpenRegistration = {
  client: RegisteredClient;
  key: ClientKey;
  cause: Cause;
  requestKey: RequestKey;
};

async function openRegistration(
  people: People,
  clientId: string,
  context: RequestContext,
  command: string,
  body: object,
): Promise<OpenRegistration | Refused> {
  const { state: client } = await people.clients.read(clientStream(clientId));
  if (client.status === 'unknown') return { refused: 'REGISTRATION_NOT_FOUND' };
  const key = client.status === 'expired' ? null : await clientKey(people, clientId);
  if (client.status === 'expired' || !key) return { refused: 'REGISTRATION_EXPIRED' };
  const requestKey = { id: context.key, hash: requestHash(key, command, body) };
  const cause = causeOf(people, `client:${clientId}`, { ...context, key: requestKey });
  return { client, key, cause, requestKey };
}

/** The reply that the idempotency key was given before, if any. */
function earlierReply(client: Client, { id, hash }: RequestKey): Reply | undefined {
  if (!isRegistered(client)) return undefined;
  const key = client.keys.find((answered) => answered.id === id);
  if (!key) return undefined;
  if (key.hash !== hash) return { refused: 'IDEMPOTENCY_KEY_REUSED' };
  if (key.answer !== 'accepted') return { refused: key.answer };
  return { view: viewOf(client), replayed: true };
}

const replyTo = ({ refused, retryAfterMs }: Decision, client: Client): Reply => {
  if (refused) return { refused, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  if (!isRegistered(client)) throw new Error('a registration that is not there was not refused');
  return { view: viewOf(client), replayed: false };
};

const answerOf = (reply: Reply, position: number): RegistrationAnswer =>
  'refused' in reply ? reply : { ...reply, position };

const viewOf = (client: RegisteredClient): RegistrationView =>
  client.status === 'verified' ? verifiedView(client) : pendingView(client.clientId);

const pendingView = (clientId: string): RegistrationView => ({
  registration_id: clientId,
  status: 'pending_verification',
});

const verifiedView = ({ clientId, accountId }: { clientId: string; accountId: string }) => ({
  registration_id: clientId,
  status: 'verified' as const,
  client_id: clientId,
  account_id: accountId,
});
