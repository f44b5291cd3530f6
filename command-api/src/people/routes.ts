import { domains, formatPosition, isUuid, Verify, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { problemOf } from '../commands/refusals.ts';
import { COMMAND_REPLY_HEADERS } from '../commands/reply.ts';
import { IdempotencyHeaders } from '../commands/requestKey.ts';
import { outcomeOf, refusalProblem } from './outcome.ts';
import type { Answer, RequestContext } from './people.ts';
import {
  type RegistrationView,
  registerClient,
  sendPasscodeAgain,
  verifyRegistration,
} from './registration/registration.ts';
import { registrationBody } from './registration/registrationBody.ts';
import { originOf } from './signIn/origin.ts';
import { type SessionRouteDeps, sessionRoutes } from './signIn/sessionRoutes.ts';

/** The routes of registration and sessions, and of the public keys that verify access tokens. */
export type ClientRouteDeps = SessionRouteDeps & { storeId: string };

export function clientRoutes(app: Http, deps: ClientRouteDeps): void {
  const { people, tokens, storeId } = deps;
  const { runtime } = people;
  const inFlight = new Set<string>();

  /** Carries out one request per idempotency key at a time. Later repetitions are answered from what it recorded. */
  const once = async (
    request: FastifyRequest,
    reply: FastifyReply,
    command: (context: RequestContext) => Promise<Answer<RegistrationView>>,
  ): Promise<RegistrationView> => {
    const key = keyOf(request);
    if (inFlight.has(key)) throw problemOf({ code: 'REQUEST_IN_FLIGHT', detail: '' });
    inFlight.add(key);
    const outcome = command({ ...originOf(request), key, traceparent: request.traceparent }).finally(() =>
      inFlight.delete(key),
    );
    const answer = await outcomeOf(runtime, outcome);
    if ('refused' in answer) throw refusalProblem(answer);
    const { view, replayed, position } = answer;
    reply
      .code(202)
      .header('location', `/v1/registrations/${view.registration_id}/verification`)
      .header('x-brokerx-position', formatPosition({ storeId, position }));
    if (replayed) reply.header('idempotent-replayed', 'true');
    return view;
  };

  app.post(
    '/v1/registrations',
    {
      config: { auth: 'public', replyHeaders: COMMAND_REPLY_HEADERS },
      schema: {
        tags: ['People'],
        summary: 'Register',
        description:
          'Asks for an account. The reply is the same whether or not the e-mail address is known here; what to do next comes by e-mail: a passcode of six digits, valid for ten minutes. Adults alone may register; a password that is easy to guess is refused.',
        headers: IdempotencyHeaders,
        body: registrationBody(() => runtime.nowMs()).meta({
          examples: [
            {
              name: 'Ann Example',
              address: '1 Example Street, Montréal',
              birth_date: '1990-04-01',
              email: 'ann@example.com',
              phone: '+15145550123',
              password: 'walnut ferry copper lantern',
            },
          ],
        }),
        response: { 202: views.RegistrationView },
      },
    },
    (request, reply) => once(request, reply, (context) => registerClient(people, request.body, context)),
  );

  app.post(
    '/v1/registrations/:registration_id/verification',
    {
      config: { auth: 'public', replyHeaders: COMMAND_REPLY_HEADERS },
      schema: {
        tags: ['People'],
        summary: 'Verify the e-mail address',
        description:
          'Returns the passcode. The right one opens the account. Five wrong ones void the passcode. A registration that nobody confirms within 24 hours is deleted (`REGISTRATION_EXPIRED`): register again.',
        headers: IdempotencyHeaders,
        params: RegistrationId,
        body: Verify.meta({ examples: [{ code: '123456' }] }),
        response: { 202: views.RegistrationView },
      },
    },
    (request, reply) =>
      once(request, reply, (context) =>
        verifyRegistration(people, request.params.registration_id, request.body, context),
      ),
  );

  app.post(
    '/v1/registrations/:registration_id/passcode',
    {
      config: { auth: 'public', replyHeaders: COMMAND_REPLY_HEADERS },
      schema: {
        tags: ['People'],
        summary: 'Send another passcode',
        description:
          'The one before is void then. At most three an hour, until 24 hours after the registration. Mail to one mailbox is limited, too, whatever its sub-addresses.',
        headers: IdempotencyHeaders,
        params: RegistrationId,
        response: { 202: views.RegistrationView },
      },
    },
    (request, reply) =>
      once(request, reply, (context) => sendPasscodeAgain(people, request.params.registration_id, context)),
  );

  sessionRoutes(app, deps);

  app.get(
    '/.well-known/jwks.json',
    {
      config: { auth: 'public' },
      schema: {
        tags: ['People'],
        summary: 'Public keys of access tokens',
        description: 'A JSON Web Key Set (RFC 7517).',
        response: { 200: JwksView },
      },
    },
    (_, reply) => {
      reply.header('cache-control', `public, max-age=${JWKS_MAX_AGE_SECONDS}`);
      return tokens.jwks as z.input<typeof JwksView>;
    },
  );
}

/** Clients may cache the keys this long, so a new key must be published at least as long before it signs. */
const JWKS_MAX_AGE_SECONDS = 300;

const JwksView = z.object({
  keys: z.array(
    z.object({
      kty: z.string(),
      crv: z.string(),
      x: z.string(),
      y: z.string(),
      kid: z.string(),
      alg: z.string(),
      use: z.string(),
    }),
  ),
});

const RegistrationId = z.object({ registration_id: domains.Id });

function keyOf(request: FastifyRequest): string {
  const { 'idempotency-key': header } = request.headers;
  const key = typeof header === 'string' ? header.toLowerCase() : '';
  if (!isUuid(key)) throw problemOf({ code: 'IDEMPOTENCY_KEY_REQUIRED', detail: '' });
  return key;
}
