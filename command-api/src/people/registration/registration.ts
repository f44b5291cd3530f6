import {
  type Cause,
  clientStream,
  deriveId,
  normalPassword,
  type Register,
  seal,
  type views,
} from '@brokerx/contracts';
import { type ClientKey, ERASED, isErased } from '@brokerx/infra';
import type { z } from 'zod';
import { openAccount } from '../../money/money.ts';
import { type Client, isRegistered, type RegisteredClient } from '../client.ts';
import { type Decision, register, resendPasscode, verifyPasscode } from '../decider.ts';
import { accountIdOf, clientIdOf } from '../lookups.ts';
import {
  type Answer,
  causeOf,
  clientKey,
  type People,
  type Request,
  requestHash,
  sealer,
  unsealOf,
  withoutKey,
} from '../people.ts';
import type { Refused } from '../refused.ts';
import { confirmAddress } from './addresses.ts';

/**
 * Registration records the client with a passcode; the passcode's return opens the account, makes the e-mail address
 * the client's, and verifies the client, in this order. Each step is recorded before the next and does nothing when it
 * is done already, so a request repeated after a crash goes on where the first one stopped.
 *
 * Nobody learns here whether an address is taken: registration does not look. Everybody's passcode is issued, and only
 * the mailbox is told what became of it (`passcodeMail.ts`). A telephone number is stored and proves nothing: several
 * may give the same one, and nobody owns it.
 */
export type RegistrationView = z.infer<typeof views.RegistrationView>;
type Registered = Answer<RegistrationView>;

export async function registerClient(people: People, body: Register, request: Request): Promise<Registered> {
  const { clients, vault, lookups, passwords, runtime } = people;
  const clientId = clientIdOf(request.key);
  const stream = clientStream(clientId);
  const known = await clients.read(stream);
  const { ip: address, isGone } = request;
  // Before a key is made, which stays for ever.
  const tooMuch =
    known.state.status === 'unknown'
      ? await people.mailLimits.take({ email: body.email, ip: address })
      : null;
  if (tooMuch) return tooMuch;
  const key = known.state.status === 'expired' ? ERASED : await vault.createKey(clientId);
  if (isErased(key)) return { refused: 'REGISTRATION_EXPIRED' };
  const keyOfRequest = { id: request.key, hash: requestHash(key, 'Register', body) };
  const replay = answered(known.state, keyOfRequest);
  if (replay) return replied(replay, known.position);

  const caller = { kind: 'registration', address, isGone } as const;
  const passwordHash = await passwords.hash(normalPassword(body.password), caller);
  const cause = causeOf(people, `client:${clientId}`, { ...request, key: keyOfRequest });
  const { reply, position } = await clients.execute(stream, cause, (client, commitId) => {
    const earlier = answered(client, keyOfRequest);
    if (earlier) return { facts: [], reply: earlier };
    const [registeredId, issuedId] = [deriveId(commitId, '0'), deriveId(commitId, '1')];
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
  return replied(reply, position);
}

export async function sendPasscodeAgain(
  people: People,
  clientId: string,
  request: Request,
): Promise<Registered> {
  const opened = await openRegistration(people, clientId, request, 'ResendPasscode', {});
  if ('refused' in opened) return opened;
  const { client, key, cause, keyOfRequest } = opened;
  const { openMs } = people;
  const nowMs = people.runtime.nowMs();
  const isSent = (decision: Decision) => decision.facts.length > 0;
  if (!answered(client, keyOfRequest) && isSent(resendPasscode(client, { codeHmac: '', nowMs, openMs }))) {
    const email = unsealOf(key, client, 'email');
    const tooMuch = await people.mailLimits.take({ email, ip: request.ip });
    if (tooMuch) return tooMuch;
  }
  const { reply, position } = await people.clients.execute(
    clientStream(clientId),
    cause,
    (state, commitId) => {
      const earlier = answered(state, keyOfRequest);
      if (earlier) return { facts: [], reply: earlier };
      const codeHmac = codeHmacOf(people, clientId, deriveId(commitId, '0'));
      const decision = resendPasscode(state, { codeHmac, nowMs, openMs });
      return { facts: decision.facts, reply: outcome(decision, state) };
    },
  );
  return replied(reply, position);
}

export async function verifyRegistration(
  people: People,
  clientId: string,
  body: { code: string },
  request: Request,
): Promise<Registered> {
  const { clients, lookups, runtime } = people;
  const opened = await openRegistration(people, clientId, request, 'VerifyRegistration', body);
  if ('refused' in opened) return opened;
  const { client: registration, cause, keyOfRequest } = opened;
  let accountIsOpen = false;
  for (;;) {
    const { reply, position } = await clients.execute<Reply | 'open the account first'>(
      clientStream(clientId),
      cause,
      (client) => {
        const earlier = answered(client, keyOfRequest);
        if (earlier) return { facts: [], reply: earlier };
        const passcode = isRegistered(client) ? client.passcode : null;
        const codeHmac = lookups.passcodeHmac(clientId, passcode?.eventId ?? '', body.code);
        const decision = verifyPasscode(client, { codeHmac, nowMs: runtime.nowMs() });
        if (!decision.refused && !accountIsOpen) return { facts: [], reply: 'open the account first' };
        return {
          facts: decision.facts,
          reply: decision.refused
            ? outcome(decision, client)
            : { view: verifiedView(registration), replayed: false },
        };
      },
    );
    if (reply !== 'open the account first') return replied(reply, position);
    await openAccountOf(people, registration, cause);
    // The right code for an address that somebody else has meanwhile: to its sender a code like any wrong one.
    if (!(await confirmAddress(people, registration, cause))) return { refused: 'PASSCODE_WRONG' };
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

/** The personal fields of a registration, sealed for its event. */
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

type Opened = {
  client: RegisteredClient;
  key: ClientKey;
  cause: Cause;
  keyOfRequest: { id: string; hash: string };
};

async function openRegistration(
  people: People,
  clientId: string,
  request: Request,
  command: string,
  body: object,
): Promise<Opened | Refused> {
  const { state: client } = await people.clients.read(clientStream(clientId));
  if (client.status === 'unknown') return { refused: 'REGISTRATION_NOT_FOUND' };
  const key = client.status === 'expired' ? null : await clientKey(people, clientId);
  if (client.status === 'expired' || !key) return { refused: 'REGISTRATION_EXPIRED' };
  const keyOfRequest = { id: request.key, hash: requestHash(key, command, body) };
  const cause = causeOf(people, `client:${clientId}`, { ...request, key: keyOfRequest });
  return { client, key, cause, keyOfRequest };
}

/** What the key was answered, if it was. */
function answered(client: Client, request: { id: string; hash: string }): Reply | undefined {
  if (!isRegistered(client)) return undefined;
  const key = client.keys.find(({ id }) => id === request.id);
  if (!key) return undefined;
  if (key.hash !== request.hash) return { refused: 'IDEMPOTENCY_KEY_REUSED' };
  if (key.answer !== 'accepted') return { refused: key.answer };
  return { view: viewOf(client), replayed: true };
}

const outcome = ({ refused, retryAfterMs }: Decision, client: Client): Reply => {
  if (refused) return { refused, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  if (!isRegistered(client)) throw new Error('a registration that is not there was not refused');
  return { view: viewOf(client), replayed: false };
};

const replied = (reply: Reply, position: number): Registered =>
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
