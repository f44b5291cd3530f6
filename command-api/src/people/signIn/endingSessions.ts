import { type ClientFact, clientStream, sessionEndOf } from '@brokerx/contracts';
import type { Actor, SessionEnds } from '@brokerx/infra';
import type { Client } from '../client.ts';
import { type Decision, endSessions, signOut } from '../decider.ts';
import { causeOf, type People } from '../people.ts';
import type { Refused } from '../refused.ts';
import type { TokenIssuer } from './tokens.ts';

/**
 * Ends sessions before their tokens expire. The end is recorded in the client's stream. This process applies it as soon as
 * it is on disk, the others when their feeds deliver it.
 */
export function signOutNow(
  people: People,
  sessions: SessionEnds,
  { clientId, sessionId, expiresAtMs }: Actor,
  { traceparent }: { traceparent: string },
): Promise<{ position: number } | Refused> {
  const cause = { actor: `client:${clientId}`, traceparent };
  return end(people, sessions, clientId, cause, (client) => signOut(client, { sessionId, expiresAtMs }));
}

/** Ends all sessions of a client. The actor of the cause is the operator who asks for it. */
export function endAllSessions(
  people: People,
  { tokens, sessions }: { tokens: TokenIssuer; sessions: SessionEnds },
  clientId: string,
  cause: { actor: string; traceparent: string },
): Promise<{ position: number } | Refused> {
  return end(people, sessions, clientId, cause, (client) =>
    endSessions(client, { tokensExpireMs: tokens.expiryMs() }),
  );
}

async function end(
  people: People,
  sessions: SessionEnds,
  clientId: string,
  { actor, traceparent }: { actor: string; traceparent: string },
  decide: (client: Client) => Decision,
): Promise<{ position: number } | Refused> {
  const stream = clientStream(clientId);
  const cause = causeOf(people, actor, { traceparent });
  const { reply, revision, position, appended } = await people.clients.execute(stream, cause, (client) => {
    const { facts, refused } = decide(client);
    return { facts, reply: { refused, facts } };
  });
  if (reply.refused) return { refused: reply.refused };
  if (appended) for (const fact of reply.facts) noteEnd(sessions, clientId, fact, revision);
  return { position };
}

function noteEnd(sessions: SessionEnds, clientId: string, fact: ClientFact, revision: number): void {
  const ended = sessionEndOf(fact);
  if (ended) sessions.note(clientId, ended, revision);
}
