import {
  type Cause,
  clientStream,
  deriveId,
  emailStream,
  phoneStream,
  type Register,
  seal,
  type views,
} from '@brokerx/contracts';
import { type ClientKey, isErased } from '@brokerx/infra';
import type { z } from 'zod';
import { openAccount } from '../account/decider.ts';
import type { Client, RegisteredClient } from './client.ts';
import { CLAIM_MS, type Decision, register, resendPasscode, verifyPasscode } from './decider.ts';
import { accountIdOf, clientIdOf } from './lookups.ts';
import {
  type Answer,
  causeOf,
  clientKey,
  type People,
  type Refused,
  type Request,
  requestHash,
  sealer,
  withoutKey,
} from './people.ts';
import { claim, confirm, release } from './reservation.ts';

/**
 * Registration: claim the e-mail address, then the telephone number, then record the client with a passcode; the
 * passcode's return opens the account, confirms both claims, and verifies the client, in this order. Each step is
 * recorded before the next and does nothing when it is done already, so a request repeated after a crash goes on
 * where the first one stopped.
 *
 * Nobody learns here whether an address is taken: then too a client is recorded, without a claim, whose passcode is
 * never sent. Only the mailbox is told (`passcodeMail.ts`).
 */
export type RegistrationView = z.infer<typeof views.RegistrationView>;
type Registered = Answer<RegistrationView>;

export async function registerClient(people: People, body: Register, request: Request): Promise<Registered> {
  const { clients, vault, lookups, passwords, runtime } = people;
  const clientId = clientIdOf(request.key);
  const stream = clientStream(clientId);
  const key = await vault.createKey(clientId);
  if (isErased(key)) return { refused: 'IDEMPOTENCY_KEY_REUSED' };
  const keyOfRequest = { id: request.key, hash: requestHash(key, 'Register', body) };
  const known = await clients.read(stream);
  const replay = answered(known.state, keyOfRequest);
  if (replay) return replied(replay, known.position);

  const { ip: address, isGone } = request;
  const passwordHash = await passwords.hash(body.password, { kind: 'registration', address, isGone });
  const addresses = {
    clientId,
    emailHmac: lookups.emailHmac(body.email),
    phoneHmac: lookups.phoneHmac(body.phone),
  };
  const cause = causeOf(people, `client:${clientId}`, { ...request, key: keyOfRequest });
  await claimAddresses(people, addresses, cause);
  const { reply, position } = await clients.execute(stream, cause, (client, commitId) => {
    const earlier = answered(client, keyOfRequest);
    if (earlier) return { facts: [], reply: earlier };
    const [registeredId, issuedId] = [deriveId(commitId, '0'), deriveId(commitId, '1')];
    const decision = register(client, {
      registration: {
        ...addresses,
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
  const { client, cause, keyOfRequest } = opened;
  if (client.status === 'pending') await claimAddresses(people, client, cause);
  const { reply, position } = await people.clients.execute(
    clientStream(clientId),
    cause,
    (state, commitId) => {
      const earlier = answered(state, keyOfRequest);
      if (earlier) return { facts: [], reply: earlier };
      const codeHmac = codeHmacOf(people, clientId, deriveId(commitId, '0'));
      const decision = resendPasscode(state, { codeHmac, nowMs: people.runtime.nowMs() });
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
        const passcode = client.status === 'unknown' ? null : client.passcode;
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
    if (!(await confirmAddresses(people, registration, cause))) return { refused: 'PASSCODE_WRONG' };
    accountIsOpen = true;
  }
}

/** The reservations that a client needs; an empty hash needs none. */
export type Addresses = { clientId: string; emailHmac: string; phoneHmac: string };

/** False when the address or the number is another client's. A half claim is given back, for another try. */
export async function claimAddresses(
  people: People,
  addresses: Addresses,
  cause: Cause,
  untilMs: number = people.runtime.nowMs() + CLAIM_MS,
): Promise<boolean> {
  const { clientId } = addresses;
  const held: string[] = [];
  for (const stream of streamsOf(addresses)) {
    const { reply } = await people.reservations.execute(stream, withoutKey(cause), (reservation) => {
      const facts = claim(reservation, { clientId, nowMs: people.runtime.nowMs(), untilMs });
      return facts === 'taken' ? { facts: [], reply: false } : { facts, reply: true };
    });
    if (!reply) {
      await releaseAddresses(people, held, clientId, cause);
      return false;
    }
    held.push(stream);
  }
  return true;
}

export async function confirmAddresses(people: People, addresses: Addresses, cause: Cause): Promise<boolean> {
  const { clientId } = addresses;
  const held: string[] = [];
  for (const stream of streamsOf(addresses)) {
    const { reply } = await people.reservations.execute(stream, withoutKey(cause), (reservation) => {
      const facts = confirm(reservation, { clientId, nowMs: people.runtime.nowMs() });
      return facts === 'taken' ? { facts: [], reply: false } : { facts, reply: true };
    });
    if (!reply) {
      await releaseAddresses(people, held, clientId, cause);
      return false;
    }
    held.push(stream);
  }
  return true;
}

async function releaseAddresses(people: People, streams: string[], clientId: string, cause: Cause) {
  for (const stream of streams) {
    await people.reservations.execute(stream, withoutKey(cause), (reservation) => ({
      facts: release(reservation, { clientId }),
      reply: null,
    }));
  }
}

const streamsOf = ({ emailHmac, phoneHmac }: Addresses): string[] => [
  emailStream(emailHmac),
  ...(phoneHmac === '' ? [] : [phoneStream(phoneHmac)]),
];

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

async function openRegistration(
  people: People,
  clientId: string,
  request: Request,
  command: string,
  body: object,
): Promise<{ client: RegisteredClient; cause: Cause; keyOfRequest: { id: string; hash: string } } | Refused> {
  const { state: client } = await people.clients.read(clientStream(clientId));
  const key = client.status === 'unknown' ? null : await clientKey(people, clientId);
  if (client.status === 'unknown' || !key) return { refused: 'REGISTRATION_NOT_FOUND' };
  const keyOfRequest = { id: request.key, hash: requestHash(key, command, body) };
  const cause = causeOf(people, `client:${clientId}`, { ...request, key: keyOfRequest });
  return { client, cause, keyOfRequest };
}

/** What the key was answered, if it was. */
function answered(client: Client, request: { id: string; hash: string }): Reply | undefined {
  if (client.status === 'unknown') return undefined;
  const key = client.keys.find(({ id }) => id === request.id);
  if (!key) return undefined;
  if (key.hash !== request.hash) return { refused: 'IDEMPOTENCY_KEY_REUSED' };
  if (key.answer !== 'accepted') return { refused: key.answer };
  return { view: viewOf(client), replayed: true };
}

const outcome = ({ refused, retryAfterMs }: Decision, client: Client): Reply => {
  if (refused) return { refused, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  if (client.status === 'unknown') throw new Error('a registration that is not there was not refused');
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
