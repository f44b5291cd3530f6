import { KillSwitch, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import { z } from 'zod';
import type { Commands } from '../commands/commands.ts';
import { IdempotencyHeaders, requestKey } from '../commands/idempotency.ts';
import { accepted, COMMAND_REPLY_HEADERS } from '../commands/reply.ts';
import { expectFact } from '../orders/views.ts';
import { activateKillSwitch, type KilledBy, releaseKillSwitch } from './killSwitch.ts';

/** The kill switch of an account, by its owner and by operators. */
export function killSwitchRoutes(
  app: Http,
  { commands, storeId }: { commands: Commands; storeId: string },
): void {
  type Asked = {
    accountId: string;
    by: KilledBy;
    actor: string;
    body: z.infer<typeof KillSwitch>;
    traceparent: string;
    headers: { 'idempotency-key'?: string | undefined };
  };
  const carryOut = async (
    reply: Parameters<typeof accepted>[0],
    { accountId, by, actor, body, traceparent, headers }: Asked,
  ): Promise<z.infer<typeof views.KillSwitchView>> => {
    const { active, reason = null } = body;
    const command = active ? 'ActivateKillSwitch' : 'ReleaseKillSwitch';
    const key = requestKey(headers, { command, subject: accountId, body });
    const answer = await commands.onAccount(accountId, { command, actor, key, traceparent }, (account) =>
      active
        ? activateKillSwitch(account, { accountId, by, reason })
        : releaseKillSwitch(account, { accountId, by }),
    );
    const location = () => `/v1/wallet?account_id=${accountId}`;
    const { fact } = accepted(reply, answer, { storeId, location });
    const { type, data } = expectFact(fact, 'KillSwitchActivated.v1', 'KillSwitchReleased.v1');
    return type === 'KillSwitchActivated.v1'
      ? { account_id: accountId, active: true, by: data.by, reason: data.reason }
      : { account_id: accountId, active: false, by: null, reason: null };
  };

  const schema = {
    headers: IdempotencyHeaders,
    body: KillSwitch.meta({ examples: [{ active: true, reason: 'a program that went wild' }] }),
    response: { 202: views.KillSwitchView },
  };
  app.put(
    '/v1/kill-switch',
    {
      config: { auth: ['trader'], replyHeaders: COMMAND_REPLY_HEADERS },
      schema: {
        ...schema,
        tags: ['Orders'],
        summary: 'Stop all trading of your account, or release it',
        description:
          'While it is active every new order and every change is refused (`KILL_SWITCH`), and all open orders are ' +
          'canceled, stops included. What an operator has activated, only an operator releases.',
      },
    },
    (request, reply) => {
      const { actor, body, traceparent, headers } = request;
      const by = { by: 'owner', actor: `client:${actor.clientId}` } as const;
      return carryOut(reply, { accountId: actor.accountId, ...by, body, traceparent, headers });
    },
  );

  app.put(
    '/v1/accounts/:id/kill-switch',
    {
      config: { auth: ['operator'], replyHeaders: COMMAND_REPLY_HEADERS },
      schema: {
        ...schema,
        tags: ['Operations'],
        summary: 'Stop all trading of an account, or release it',
        params: z.object({ id: z.uuid().describe('The account.') }),
      },
    },
    (request, reply) => {
      const { actor, body, traceparent, headers, params } = request;
      const by = { by: 'operator', actor: `operator:${actor.clientId}` } as const;
      return carryOut(reply, { accountId: params.id.toLowerCase(), ...by, body, traceparent, headers });
    },
  );
}
