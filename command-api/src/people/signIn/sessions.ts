import {
  type ClientFact,
  clientStream,
  emailStream,
  eventIdOf,
  mintId,
  normalPassword,
  timeOf,
  type views,
} from '@brokerx/contracts';
import { type ClientKey, deriveKey, isErased, keyedHash, networkOf } from '@brokerx/infra';
import type { z } from 'zod';
import type { RegisteredClient } from '../client.ts';
import { strangerIdOf } from '../lookups.ts';
import { causeOf, clientKey, type Origin, type People, passwordHashOf, sealer } from '../people.ts';
import type { Refused } from '../refused.ts';
import type { FailedSignIns } from './failedSignIns.ts';
import { matchingForm } from './passwordForms.ts';
import { TOKEN_VALID_MS, type TokenIssuer } from './tokens.ts';

/**
 * Signs clients in. An unknown address, an unverified client and a wrong password get the same answer after the same work:
 * the same reads, the same password hashes, and a recorded failure. A session begins when its event is on disk.
 */
export type SessionView = z.infer<typeof views.SessionView>;
type SignInOrigin = Origin & { traceparent: string };

export async function signIn(
  people: People,
  { tokens, signIns }: { tokens: TokenIssuer; signIns: FailedSignIns },
  body: { email: string; password: string },
  origin: SignInOrigin,
): Promise<{ view: SessionView } | Refused> {
  const { passwords, runtime } = people;
  const sinceMs = runtime.monotonicMs();
  const { address, clientId, person } = await personAt(people, body.email);
  const network = person && networkHash(person.key, origin.ip);
  const isAtHome = network !== null && person !== null && person.client.networks.includes(network);
  const hash = person && passwordHashOf(person.key, person.client);
  const attempt = { ip: origin.ip, address, isAtHome, password: body.password, hash };
  const refuseForNow = async (retryAfterMs: number): Promise<Refused> => {
    await signIns.delayRefusal(sinceMs);
    return { refused: 'SIGN_IN_LIMIT', retryAfterMs };
  };

  const standing = await signIns.standing(attempt);
  const turnMs = await signIns.turn(attempt, standing);
  if (turnMs > 0) return refuseForNow(turnMs);
  if (!standing.mayTry) {
    await signIns.refused(attempt);
    return refuseForNow(standing.brakedMs);
  }
  // The limits are checked again when the turn to hash comes, so that many attempts at once gain nothing. A process hashes
  // two passwords at a time, so up to 2n − 1 failures beyond the limit slip through n processes.
  const begin = async () => (await signIns.standing(attempt)).mayTry;
  const caller = { kind: 'sign-in', address: origin.ip, isGone: origin.isGone };
  const form = await matchingForm(passwords, hash, body.password, begin, caller);
  if (form && person && network) {
    await signIns.succeeded(attempt);
    const newHash = form === 'normal' ? null : await passwords.hash(normalPassword(body.password), caller);
    return beginSession(people, tokens, { ...person, network, newHash }, origin);
  }
  const standingAfter = await signIns.standing(attempt);
  if (!standingAfter.mayTry) {
    await signIns.refused(attempt);
    return refuseForNow(standingAfter.brakedMs);
  }
  await signIns.failed(attempt);
  await noteFailure(people, clientId, person?.key ?? null, origin);
  return standingAfter.brakedMs > 0 ? refuseForNow(standingAfter.brakedMs) : { refused: 'WRONG_CREDENTIALS' };
}

type Person = { client: RegisteredClient; key: ClientKey };

/** The person with an address. For an address without a client the same reads are made, of a client who never exists. */
async function personAt(people: People, email: string) {
  const { clients, reservations, lookups } = people;
  const address = lookups.emailHmac(email);
  const { state: reservation } = await reservations.read(emailStream(address));
  const clientId = reservation.status === 'confirmed' ? reservation.clientId : strangerIdOf(address);
  const { state: client } = await clients.read(clientStream(clientId));
  const key = await clientKey(people, clientId);
  const person: Person | null = client.status === 'verified' && key ? { client, key } : null;
  return { address, clientId, person };
}

/** Hashes the network that a client signs in from, under the client's own key: once that is destroyed, the hash tells nothing. */
const networkHash = ({ secret }: ClientKey, ip: string): string =>
  keyedHash(deriveKey(secret, 'network'), networkOf(ip));

async function beginSession(
  people: People,
  tokens: TokenIssuer,
  person: Person & {
    network: string;
    /** A hash in the current form, where the stored one has the old form; else null. */
    newHash: string | null;
  },
  origin: SignInOrigin,
): Promise<{ view: SessionView }> {
  const { client, key, network, newHash } = person;
  const { clientId, accountId, roles } = client;
  const sessionId = mintId(people.runtime);
  const expiresAtMs = tokens.expiryMs();
  const cause = causeOf(people, `client:${clientId}`, origin);
  const { revision: sessionRevision } = await people.clients.execute(
    clientStream(clientId),
    cause,
    (_, commitId) => {
      const sealed = (index: number) => sealer(people, key, eventIdOf(commitId, index));
      const rehashed: ClientFact[] =
        newHash === null
          ? []
          : [{ type: 'PasswordRehashed.v1', data: { passwordHash: sealed(0)('passwordHash', newHash) } }];
      const data = {
        sessionId,
        expiresAt: timeOf(expiresAtMs),
        ip: sealed(rehashed.length)('ip', origin.ip),
        network,
      };
      return { facts: [...rehashed, { type: 'SignedIn.v1', data }], reply: null };
    },
  );
  const session = { sessionId, sessionRevision, clientId, accountId, roles };
  const { token } = await tokens.issue(session, expiresAtMs);
  return {
    view: {
      access_token: token,
      token_type: 'Bearer',
      expires_in: Math.floor(TOKEN_VALID_MS / 1_000),
      client_id: clientId,
      account_id: accountId,
      roles: [...roles],
    },
  };
}

/** Records a failed sign-in: one event each, also for addresses without a client, which share one key. */
async function noteFailure(
  people: People,
  clientId: string,
  ownKey: ClientKey | null,
  origin: SignInOrigin,
): Promise<void> {
  try {
    const sharedKey = await people.vault.createKey(STRANGERS_KEY_ID);
    const key = ownKey ?? sharedKey;
    if (isErased(key)) return;
    const cause = causeOf(people, `client:${clientId}`, origin);
    await people.clients.execute(clientStream(clientId), cause, (_, commitId) => ({
      facts: [
        {
          type: 'SignInFailed.v1',
          data: { ip: sealer(people, key, eventIdOf(commitId, 0))('ip', origin.ip) },
        },
      ],
      reply: null,
    }));
  } catch (err) {
    people.log.warn({ err, clientId }, 'a failed sign-in could not be recorded');
  }
}

/** The id of the key that seals the origins of sign-ins to addresses without a client. */
const STRANGERS_KEY_ID = '00000000-0000-8000-8000-000000000000';
