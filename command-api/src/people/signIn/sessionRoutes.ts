import { domains, formatPosition, SignIn, views } from '@brokerx/contracts';
import type { Http, SessionEnds } from '@brokerx/infra';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { outcomeOf, refusalProblem } from '../outcome.ts';
import type { People } from '../people.ts';
import type { Refused } from '../refused.ts';
import { endAllSessions, signOutNow } from './endingSessions.ts';
import type { FailedSignIns } from './failedSignIns.ts';
import { originOf } from './origin.ts';
import { signIn } from './sessions.ts';
import type { TokenIssuer } from './tokens.ts';

/** The routes that begin a session, end it, and let an operator end all sessions of a client. */
export type SessionRouteDeps = {
  people: People;
  tokens: TokenIssuer;
  signIns: FailedSignIns;
  sessions: SessionEnds;
  storeId: string;
};

export function sessionRoutes(
  app: Http,
  { people, tokens, signIns, sessions, storeId }: SessionRouteDeps,
): void {
  const { runtime } = people;
  const noContent = async (reply: FastifyReply, ending: Promise<{ position: number } | Refused>) => {
    const answer = await outcomeOf(runtime, ending);
    if ('refused' in answer) throw refusalProblem(answer);
    const position = formatPosition({ storeId, position: answer.position });
    return reply.code(204).header('x-brokerx-position', position).send();
  };

  app.post(
    '/v1/sessions',
    {
      config: { auth: 'public' },
      schema: {
        tags: ['People'],
        summary: 'Sign in',
        description:
          'Gives an access token for `Authorization: Bearer …` on both APIs. It is valid for `expires_in` seconds; sign in again before it runs out. After too many failures, from one address or to one account, whoever has not signed in to the account from there before is refused for a while (`SIGN_IN_LIMIT`).',
        body: SignIn.meta({
          examples: [{ email: 'ann@example.com', password: 'walnut ferry copper lantern' }],
        }),
        response: { 201: views.SessionView },
      },
    },
    async (request, reply) => {
      const origin = { ...originOf(request), traceparent: request.traceparent };
      const answer = await outcomeOf(runtime, signIn(people, { tokens, signIns }, request.body, origin));
      if ('refused' in answer) throw refusalProblem(answer);
      reply.code(201);
      return answer.view;
    },
  );

  app.delete(
    '/v1/sessions/current',
    {
      config: { auth: ['trader', 'operator', 'analyst'], replyHeaders: POSITION },
      schema: {
        tags: ['People'],
        summary: 'Sign out',
        description: `Ends the session of the token that is sent. ${END_OF_TOKENS} Other sessions of the same person go on.`,
        response: NO_CONTENT,
      },
    },
    ({ actor, traceparent }, reply) => noContent(reply, signOutNow(people, sessions, actor, { traceparent })),
  );

  app.delete(
    '/v1/clients/:client_id/sessions',
    {
      config: { auth: ['operator'], replyHeaders: POSITION },
      schema: {
        tags: ['Operations'],
        summary: 'End all sessions of a client',
        description: `Ends every session that the client has begun until now. ${END_OF_TOKENS} Who knows the password can sign in again.`,
        params: ClientId,
        response: NO_CONTENT,
      },
    },
    ({ actor, params, traceparent }, reply) =>
      noContent(
        reply,
        endAllSessions(people, { tokens, sessions }, params.client_id, {
          actor: `operator:${actor.clientId}`,
          traceparent,
        }),
      ),
  );
}

const END_OF_TOKENS =
  'Within a second of the reply no process takes the token any more, and open streams have ended.';
const ClientId = z.object({ client_id: domains.Id });
const NO_CONTENT = { 204: z.undefined().describe('It is over.') };
const POSITION = {
  'X-BrokerX-Position': 'The position of what was recorded, or of what stood there already.',
} as const;
