import { clientStream, deriveId, emailStream, mintId, timeOf, type views } from '@brokerx/contracts';
import type { z } from 'zod';
import { TOKEN_VALID_MS, type TokenIssuer } from '../tokens.ts';
import type { FailedSignIns } from './failedSignIns.ts';
import { causeOf, clientKey, type Origin, type People, type Refused, sealer, unsealOf } from './people.ts';

/**
 * Signing in. Who has no account, who has not verified and who mistypes get the same answer after the same work:
 * the same reads, one password hash. A session begins when its event is on disk.
 */
export type SessionView = z.infer<typeof views.SessionView>;

export async function signIn(
  people: People,
  { tokens, failed }: { tokens: TokenIssuer; failed: FailedSignIns },
  body: { email: string; password: string },
  request: Origin & { traceparent: string },
): Promise<{ view: SessionView } | Refused> {
  const { clients, reservations, lookups, passwords, runtime } = people;
  const emailHmac = lookups.emailHmac(body.email);
  const attempt = { ip: request.ip, address: emailHmac };
  const waitMs = await failed.waitMs(attempt);
  if (waitMs > 0) return limited(waitMs);

  const { state: reservation } = await reservations.read(emailStream(emailHmac));
  const clientId = reservation.status === 'confirmed' ? reservation.clientId : NOBODY;
  const { state: client } = await clients.read(clientStream(clientId));
  const key = await clientKey(people, clientId);
  const person = client.status === 'verified' && key ? { client, key } : null;
  const hash = person && unsealOf(person.key, person.client, 'passwordHash');
  // Asked again when its turn has come, so that many tries at once are not worth more than one after another.
  // Two are hashed at a time in a process: up to 2n − 1 failures beyond the limit slip through n processes.
  const begin = async () => (await failed.waitMs(attempt)) === 0;
  const matches = await passwords.verify(hash, body.password, begin, {
    kind: 'sign-in',
    address: request.ip,
    isGone: request.isGone,
  });
  const waitNowMs = matches ? 0 : await failed.waitMs(attempt);
  if (waitNowMs > 0) return limited(waitNowMs);

  const actor = `client:${clientId}`;
  if (!matches || !person) {
    await failed.count(attempt);
    if (person) void noteFailure(people, clientId, request);
    return { refused: 'WRONG_CREDENTIALS' };
  }
  const { accountId, roles } = person.client;
  const sessionId = mintId(runtime);
  const expiresAtMs = tokens.expiryMs();
  const { revision: sessionRevision } = await clients.execute(
    clientStream(clientId),
    causeOf(people, actor, request),
    (_, commitId) => ({
      facts: [
        {
          type: 'SignedIn.v1',
          data: {
            sessionId,
            expiresAt: timeOf(expiresAtMs),
            ip: sealer(people, person.key, deriveId(commitId, '0'))('ip', request.ip),
          },
        },
      ],
      reply: null,
    }),
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

/** A client that never is: what is looked up for an address that nobody has. */
const NOBODY = '00000000-0000-8000-8000-000000000000';

const limited = (retryAfterMs: number): Refused => ({ refused: 'SIGN_IN_LIMIT', retryAfterMs });

/** Beside the reply, which must not tell by its time whether there is somebody to note it for. */
async function noteFailure(
  people: People,
  clientId: string,
  request: { ip: string; traceparent: string },
): Promise<void> {
  try {
    const key = await clientKey(people, clientId);
    if (!key) return;
    const cause = causeOf(people, `client:${clientId}`, request);
    await people.clients.execute(clientStream(clientId), cause, (_, commitId) => ({
      facts: [
        {
          type: 'SignInFailed.v1',
          data: { ip: sealer(people, key, deriveId(commitId, '0'))('ip', request.ip) },
        },
      ],
      reply: null,
    }));
  } catch (err) {
    people.log.warn({ err, clientId }, 'a failed sign-in could not be recorded');
  }
}
