import {
  type ClientFact,
  clientStream,
  deriveId,
  emailStream,
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
 * Signing in. Who has no account, who has not verified and who mistypes get the same answer after the same work: the
 * same reads, the same password hashes, and a failure on record. A session begins when its event is on disk.
 */
export type SessionView = z.infer<typeof views.SessionView>;
type From = Origin & { traceparent: string };

export async function signIn(
  people: People,
  { tokens, failed }: { tokens: TokenIssuer; failed: FailedSignIns },
  body: { email: string; password: string },
  from: From,
): Promise<{ view: SessionView } | Refused> {
  const { passwords, runtime } = people;
  const sinceMs = runtime.monotonicMs();
  const { address, clientId, person } = await whoseAddress(people, body.email);
  const network = person && networkHash(person.key, from.ip);
  const isAtHome = network !== null && person !== null && person.client.networks.includes(network);
  const hash = person && passwordHashOf(person.key, person.client);
  const attempt = { ip: from.ip, address, isAtHome, password: body.password, hash };
  const limited = async (retryAfterMs: number): Promise<Refused> => {
    await failed.hold(sinceMs);
    return { refused: 'SIGN_IN_LIMIT', retryAfterMs };
  };

  const before = await failed.standing(attempt);
  const turnMs = await failed.turn(attempt, before);
  if (turnMs > 0) return limited(turnMs);
  if (!before.mayTry) {
    await failed.refused(attempt);
    return limited(before.brakedMs);
  }
  // Asked again when its turn has come, so that many tries at once are not worth more than one after another.
  // Two are hashed at a time in a process: up to 2n − 1 failures beyond the limit slip through n processes.
  const begin = async () => (await failed.standing(attempt)).mayTry;
  const caller = { kind: 'sign-in', address: from.ip, isGone: from.isGone };
  const form = await matchingForm(passwords, hash, body.password, begin, caller);
  if (form && person && network) {
    await failed.succeeded(attempt);
    const newHash = form === 'normal' ? null : await passwords.hash(normalPassword(body.password), caller);
    return beginSession(people, tokens, { ...person, network, newHash }, from);
  }
  const after = await failed.standing(attempt);
  if (!after.mayTry) {
    await failed.refused(attempt);
    return limited(after.brakedMs);
  }
  await failed.failed(attempt);
  await noteFailure(people, clientId, person?.key ?? null, from);
  return after.brakedMs > 0 ? limited(after.brakedMs) : { refused: 'WRONG_CREDENTIALS' };
}

type Person = { client: RegisteredClient; key: ClientKey };

/** Whose address it is: a client, or somebody who is looked up in the same way and never there. */
async function whoseAddress(people: People, email: string) {
  const { clients, reservations, lookups } = people;
  const address = lookups.emailHmac(email);
  const { state: reservation } = await reservations.read(emailStream(address));
  const clientId = reservation.status === 'confirmed' ? reservation.clientId : strangerIdOf(address);
  const { state: client } = await clients.read(clientStream(clientId));
  const key = await clientKey(people, clientId);
  const person: Person | null = client.status === 'verified' && key ? { client, key } : null;
  return { address, clientId, person };
}

/** Where somebody signs in from, in a form that is worth nothing without his key, and is gone with it. */
const networkHash = ({ secret }: ClientKey, ip: string): string =>
  keyedHash(deriveKey(secret, 'network'), networkOf(ip));

async function beginSession(
  people: People,
  tokens: TokenIssuer,
  person: Person & {
    network: string;
    /** The new hash of a password whose stored hash has an old form. */
    newHash: string | null;
  },
  from: From,
): Promise<{ view: SessionView }> {
  const { client, key, network, newHash } = person;
  const { clientId, accountId, roles } = client;
  const sessionId = mintId(people.runtime);
  const expiresAtMs = tokens.expiryMs();
  const cause = causeOf(people, `client:${clientId}`, from);
  const { revision: sessionRevision } = await people.clients.execute(
    clientStream(clientId),
    cause,
    (_, commitId) => {
      const sealed = (index: number) => sealer(people, key, deriveId(commitId, String(index)));
      const rehashed: ClientFact[] =
        newHash === null
          ? []
          : [{ type: 'PasswordRehashed.v1', data: { passwordHash: sealed(0)('passwordHash', newHash) } }];
      const data = {
        sessionId,
        expiresAt: timeOf(expiresAtMs),
        ip: sealed(rehashed.length)('ip', from.ip),
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

/** Recorded for addresses, too, that nobody has, under a key of all of them: one event for each failure, whoever it is. */
async function noteFailure(
  people: People,
  clientId: string,
  known: ClientKey | null,
  from: From,
): Promise<void> {
  try {
    const anybodys = await people.vault.createKey(NOBODY);
    const key = known ?? anybodys;
    if (isErased(key)) return;
    const cause = causeOf(people, `client:${clientId}`, from);
    await people.clients.execute(clientStream(clientId), cause, (_, commitId) => ({
      facts: [
        {
          type: 'SignInFailed.v1',
          data: { ip: sealer(people, key, deriveId(commitId, '0'))('ip', from.ip) },
        },
      ],
      reply: null,
    }));
  } catch (err) {
    people.log.warn({ err, clientId }, 'a failed sign-in could not be recorded');
  }
}

/** Whose key seals where those came from who tried addresses that nobody has. */
const NOBODY = '00000000-0000-8000-8000-000000000000';
