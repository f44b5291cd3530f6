import { DeadManSwitch, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import { IdempotencyHeaders, requestKey } from '../commands/idempotency.ts';
import { accepted } from '../commands/reply.ts';
import { type OrderRoutes, trader } from '../orders/routes.ts';
import { expectFact } from '../orders/views.ts';
import { setDeadline } from './deadMan.ts';

/** All orders are canceled unless it is renewed in time. */
export function deadManRoutes(app: Http, { commands, storeId }: OrderRoutes): void {
  app.put(
    '/v1/dead-man-switch',
    {
      config: trader,
      schema: {
        tags: ['Orders'],
        summary: 'Cancel all orders unless this is renewed',
        description:
          'All open orders are canceled after so many seconds, unless another request sets a new deadline before; 0 ' +
          'switches it off. Once it has fired it is off. It survives restarts: a deadline that passed meanwhile fires ' +
          'then.',
        headers: IdempotencyHeaders,
        body: DeadManSwitch.meta({ examples: [{ cancel_after_seconds: 30 }] }),
        response: { 202: views.DeadManView },
      },
    },
    async (request, reply) => {
      const { actor, body, traceparent } = request;
      const { accountId } = actor;
      const command = 'SetDeadMan';
      const key = requestKey(request.headers, { command, subject: accountId, body });
      const answer = await commands.onAccount(
        accountId,
        { command, actor: `client:${actor.clientId}`, key, traceparent },
        (_, nowMs) => setDeadline({ accountId, seconds: body.cancel_after_seconds, nowMs }),
      );
      const { fact } = accepted(reply, answer, { storeId, location: () => '/v1/orders?status=open' });
      const { deadlineAt } = expectFact(fact, 'DeadManSet.v1').data;
      return { account_id: accountId, deadline_at: deadlineAt };
    },
  );
}
