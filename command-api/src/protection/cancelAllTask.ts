import { type AccountEvent, type AccountFact, type Cause, seal, timeOf } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import type { Account } from '../account/account.ts';
import type { Accounts } from '../account/accounts.ts';

/** The task of canceling all orders of an account, and the event that asked for it. */
export type CancelAllTask = {
  /** Id of the account. */
  id: string;
  eventId: string;
  correlationId: string;
  traceparent: string;
};

export const cancelAllTask = (
  accountId: string,
  { id: eventId, correlationId, traceparent }: AccountEvent,
): CancelAllTask => ({ id: accountId, eventId, correlationId, traceparent });

/** Records what `decide` decides, one commit after another, until it decides a reply instead. */
export async function workOnCancels<Reply>(
  { accounts, runtime }: { accounts: Accounts; runtime: Runtime },
  { id: accountId, eventId, correlationId, traceparent }: CancelAllTask,
  actor: string,
  decide: (account: Account) => { facts: AccountFact[]; symbol: string | null } | { reply: Reply },
): Promise<Reply> {
  const cause = (): Cause => ({
    time: timeOf(runtime.nowMs()),
    actor,
    correlationId,
    causationId: eventId,
    traceparent,
  });
  for (;;) {
    const executed = await accounts.execute<Reply>(accountId, (account, { commitId }) => {
      const decision = decide(account);
      if ('reply' in decision) return { reply: decision.reply, rests: 'absent' };
      const { facts, symbol } = decision;
      return { events: seal(commitId, cause(), facts) as AccountEvent[], symbol };
    });
    if ('reply' in executed) return executed.reply;
  }
}
