import { DeadManSwitch, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import { accountCommands } from '../commands/accountCommand.ts';
import { IdempotencyHeaders } from '../commands/requestKey.ts';
import { type OrderRoutes, trader } from '../orders/request.ts';
import { setDeadline } from './deadMan.ts';

/** All orders are canceled unless it is renewed in time. */
export function deadManRoutes(app: Http, deps: OrderRoutes): void {
  const carryOut = accountCommands(deps);
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
      const { actor, body } = request;
      const { accountId } = actor;
      const { data } = await carryOut(request, reply, {
        command: 'SetDeadMan',
        by: 'client',
        accountId,
        body,
        decide: (_, nowMs) => setDeadline({ accountId, seconds: body.cancel_after_seconds, nowMs }),
        facts: ['DeadManSet.v1'],
        location: () => '/v1/orders?status=open',
      });
      return { account_id: accountId, deadline_at: data.deadlineAt };
    },
  );
}
