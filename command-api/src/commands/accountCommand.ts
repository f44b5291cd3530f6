import type { AccountFact } from '@brokerx/contracts';
import type { FastifyReply } from 'fastify';
import type { Commands } from './commands.ts';
import { expectFact, type FactOf } from './facts.ts';
import { accepted } from './reply.ts';
import { requestKey } from './requestKey.ts';

/** One command on one account, as a route asks for it. */
export type AccountCommand<T extends AccountFact['type']> = {
  command: string;
  by: 'client' | 'operator';
  accountId: string;
  /** Id of what the command is about, for the hash of the idempotency key. Defaults to the account. */
  subject?: string;
  body: unknown;
  decide: Parameters<Commands['onAccount']>[2];
  /** The facts that the command can be answered with, refusals aside. */
  facts: readonly T[];
  location: (fact: FactOf<T>) => string;
};

export type CommandRequest = {
  actor: { clientId: string };
  traceparent: string;
  headers: { 'idempotency-key'?: string | undefined };
};

/**
 * Carries out a command on an account and answers it: 202 with `Location` and position once its fact is on disk, a
 * problem if it is refused. The same key gets the same fact again.
 */
export const accountCommands =
  ({ commands, storeId }: { commands: Commands; storeId: string }) =>
  async <T extends AccountFact['type']>(
    { actor, traceparent, headers }: CommandRequest,
    reply: FastifyReply,
    accountCommand: AccountCommand<T>,
  ): Promise<FactOf<T>> => {
    const { command, by, accountId, subject = accountId, body, decide, facts, location } = accountCommand;
    const key = requestKey(headers, { command, subject, body });
    const request = { command, actor: `${by}:${actor.clientId}`, key, traceparent };
    const answer = await commands.onAccount(accountId, request, decide);
    const { fact } = accepted(reply, answer, {
      storeId,
      location: (recorded) => location(expectFact(recorded, ...facts)),
    });
    return expectFact(fact, ...facts);
  };
