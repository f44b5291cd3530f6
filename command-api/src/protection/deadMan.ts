import { type AccountFact, timeOf } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import type { Account } from '../account/account.ts';
import type { Accounts } from '../account/accounts.ts';
import { cancelsLeft } from '../orders/cancel.ts';
import type { TaskList } from '../tasks/openTasks.ts';
import { type CancelAllTask, cancelAllTask, workOnCancels } from './cancelAllTask.ts';

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

export const deadlineTasks = (deps: { accounts: Accounts; runtime: Runtime }): TaskList<CancelAllTask> => ({
  name: 'dead-man',
  version: 1,
  category: 'account',
  types: ['DeadManSet.v1', 'DeadManFired.v1'],
  opens: ({ event }) =>
    event.type === 'DeadManSet.v1' && event.data.deadlineAt !== null
      ? cancelAllTask(event.data.accountId, event)
      : null,
  // A renewal closes the task of the earlier deadline and opens another.
  closes: ({ event }) =>
    event.type === 'DeadManSet.v1' || event.type === 'DeadManFired.v1' ? event.data.accountId : null,
  async work(task) {
    const deadlineAt = await workOnCancels<string | null>(
      deps,
      task,
      'system:dead-man',
      (account) => fireDeadline(account, deps.runtime.nowMs()) ?? { reply: account.deadlineAt },
    );
    // The switch has fired or was switched off. A new deadline has an event of its own.
    return deadlineAt === null ? 'done' : { againAtMs: Date.parse(deadlineAt) };
  },
});
