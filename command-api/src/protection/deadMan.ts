import { type AccountEvent, type AccountFact, type Cause, seal, timeOf } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import type { Account } from '../account/account.ts';
import type { Accounts } from '../account/accounts.ts';
import { cancelsLeft } from '../orders/cancel.ts';
import type { TaskList } from '../tasks/openTasks.ts';

/*
 * The dead-man switch: all open orders of an account are canceled unless its client renews the deadline in time. The
 * deadline is an event, so it outlives restarts; one that passed meanwhile fires as soon as somebody looks. Whether it
 * has passed is decided on the account as it is then: a renewal wins by its place in the stream.
 */

/** Zero seconds switch it off. */
export const setDeadline = (command: { accountId: string; seconds: number; nowMs: number }): AccountFact => ({
  type: 'DeadManSet.v1',
  data: {
    accountId: command.accountId,
    deadlineAt: command.seconds === 0 ? null : timeOf(command.nowMs + command.seconds * 1_000),
  },
});

/**
 * What a passed deadline asks for next: cancels of one symbol's orders, as many as a commit takes; once none is left,
 * that it has fired. So a crash between two commits leaves the rest to be done, and nothing is done twice.
 */
export function fireDeadline(
  account: Account,
  nowMs: number,
): { facts: AccountFact[]; symbol: string | null } | null {
  const { accountId, deadlineAt } = account;
  if (deadlineAt === null || Date.parse(deadlineAt) > nowMs) return null;
  const left = cancelsLeft(account);
  if (left.symbol !== null) return left;
  return { facts: [{ type: 'DeadManFired.v1', data: { accountId, deadlineAt } }], symbol: null };
}

type DeadlineTask = {
  /** The account's. */ id: string;
  eventId: string;
  correlationId: string;
  traceparent: string;
};

export function deadlineTasks(deps: { accounts: Accounts; runtime: Runtime }): TaskList<DeadlineTask> {
  const { accounts, runtime } = deps;
  return {
    name: 'dead-man',
    version: 1,
    category: 'account',
    types: ['DeadManSet.v1', 'DeadManFired.v1'],
    opens({ event }) {
      if (event.type !== 'DeadManSet.v1' || event.data.deadlineAt === null) return null;
      const { id: eventId, correlationId, traceparent } = event;
      return { id: event.data.accountId, eventId, correlationId, traceparent };
    },
    // A renewal closes the one before and opens another.
    closes: ({ event }) =>
      event.type === 'DeadManSet.v1' || event.type === 'DeadManFired.v1' ? event.data.accountId : null,
    async work({ id: accountId, eventId, correlationId, traceparent }) {
      const cause = (): Cause => ({
        time: timeOf(runtime.nowMs()),
        actor: 'system:dead-man',
        correlationId,
        causationId: eventId,
        traceparent,
      });
      for (;;) {
        const executed = await accounts.execute<string | null>(accountId, (account, { commitId }) => {
          const due = fireDeadline(account, runtime.nowMs());
          if (!due) return { reply: account.deadlineAt, rests: 'absent' };
          return { events: seal(commitId, cause(), due.facts) as AccountEvent[], symbol: due.symbol };
        });
        if ('events' in executed) continue;
        // It has fired, or was switched off. A new deadline comes with an event of its own.
        if (executed.reply === null) return 'done';
        return { againAtMs: Date.parse(executed.reply) };
      }
    },
  };
}
