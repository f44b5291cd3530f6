import { KillSwitch, views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { accountCommands, type CommandRequest } from '../commands/accountCommand.ts';
import type { Commands } from '../commands/commands.ts';
import { COMMAND_REPLY_HEADERS } from '../commands/reply.ts';
import { IdempotencyHeaders } from '../commands/requestKey.ts';
import { activateKillSwitch, releaseKillSwitch } from './killSwitch.ts';

/** The kill switch of an account, by its owner and by operators. */
export function killSwitchRoutes(app: Http, deps: { commands: Commands; storeId: string }): void {
  const carryOut = accountCommands(deps);
  const turn = async (
    request: CommandRequest & { body: z.infer<typeof KillSwitch> },
    reply: FastifyReply,
    { accountId, by }: { accountId: string; by: 'client' | 'operator' },
  ): Promise<z.infer<typeof views.KillSwitchView>> => {
    const { body } = request;
    const { active, reason = null } = body;
    const who = by === 'client' ? 'owner' : 'operator';
    const { type, data } = await carryOut(request, reply, {
      command: active ? 'ActivateKillSwitch' : 'ReleaseKillSwitch',
      by,
      accountId,
      body,
      decide: (account) =>
        active
          ? activateKillSwitch(account, { accountId, by: who, reason })
          : releaseKillSwitch(account, { accountId, by: who }),
      facts: ['KillSwitchActivated.v1', 'KillSwitchReleased.v1'],
      location: () => `/v1/wallet?account_id=${accountId}`,
    });
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
    (request, reply) => turn(request, reply, { accountId: request.actor.accountId, by: 'client' }),
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
    (request, reply) => turn(request, reply, { accountId: request.params.id.toLowerCase(), by: 'operator' }),
  );
}
