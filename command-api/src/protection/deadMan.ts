import { type AccountEvent, type AccountFact, type Cause, seal, timeOf } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import type { Account } from '../account/account.ts';
import type { Accounts } from '../account/accounts.ts';
import { cancelsLeft } from '../orders/cancel.ts';
import type { TaskList } from '../tasks/openTasks.ts';

/*
 * The dead-man switch cancels all open orders of an account unless its client renews the deadline in time. The deadline is
 * an event, so it outlives restarts: a deadline that passed meanwhile fires after the start. The decision uses the newest
 * state of the account, so a renewal that is recorded before the switch fires wins.
 */

/** Sets the deadline; zero seconds switch it off. */
export const setDeadline = (command: { accountId: string; seconds: number; nowMs: number }): AccountFact => ({
  type: 'DeadManSet.v1',
  data: {
    accountId: command.accountId,
    deadlineAt: command.seconds === 0 ? null : timeOf(command.nowMs + command.seconds * 1_000),
  },
});

/**
 * Decides the next commit after a passed deadline: cancels of one symbol's orders, as many as a commit takes, and at the
 * end the fact that the switch has fired. A crash between two commits loses no cancel and repeats none.
 */
export function fireDeadline(
  account: Account,
  nowMs: number,
): { facts: AccountFact[]; symbol: string | null } | null {
  const { accountId, deadlineAt } = account;
  if (deadlineAt === null || Date.parse(deadlineAt) > nowMs) return null;
  const cancels = cancelsLeft(account);
  if (cancels.symbol !== null) return cancels;
  return { facts: [{ type: 'DeadManFired.v1', data: { accountId, deadlineAt } }], symbol: null };
}

type DeadlineTask = {
  /** Id of the account. */ id: string;
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
    // A renewal closes the task of the earlier deadline and opens another.
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
        // The switch has fired or was switched off. A new deadline has an event of its own.
        if (executed.reply === null) return 'done';
        return { againAtMs: Date.parse(executed.reply) };
      }
    },
  };
}
