import type { AccountFact } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import type { Account } from '../account/account.ts';
import type { Accounts } from '../account/accounts.ts';
import { cancelsLeft } from '../orders/cancel.ts';
import { refused } from '../refusal.ts';
import type { TaskList } from '../tasks/openTasks.ts';
import { type CancelAllTask, cancelAllTask, workOnCancels } from './cancelAllTask.ts';

/**
 * The kill switch of an account. While it is active, no order is taken or changed, and all open orders are canceled, stops
 * and orders for auctions included. The owner or an operator activates it; if an operator did, only an operator releases
 * it. It never ends by itself.
 */
export type KilledBy = 'owner' | 'operator';

type Switched = AccountFact | { facts: readonly [AccountFact, ...AccountFact[]] };

export function activateKillSwitch(
  account: Account,
  { accountId, by, reason }: { accountId: string; by: KilledBy; reason: string | null },
): Switched {
  const { killed } = account;
  // The fact changes nothing but keeps the key: a late repetition must not activate the switch again.
  if (killed && (killed.by === by || by === 'owner')) {
    return { type: 'KillSwitchActivated.v1', data: { accountId, ...killed } };
  }
  const { facts } = cancelsLeft(account);
  return { facts: [{ type: 'KillSwitchActivated.v1', data: { accountId, by, reason } }, ...facts] };
}

export function releaseKillSwitch(
  { killed }: Account,
  { accountId, by }: { accountId: string; by: KilledBy },
): Switched {
  if (killed?.by === 'operator' && by === 'owner') {
    const detail = 'an operator activated the kill switch; only an operator releases it';
    return refused('ReleaseKillSwitch', accountId, { code: 'FORBIDDEN', detail });
  }
  return { type: 'KillSwitchReleased.v1', data: { accountId, by } };
}

/** Finishes the cancels that an activation began, symbol by symbol, even after a crash. */
export const killTasks = (deps: { accounts: Accounts; runtime: Runtime }): TaskList<CancelAllTask> => ({
  name: 'kill-switch',
  version: 1,
  category: 'account',
  types: ['KillSwitchActivated.v1', 'KillSwitchReleased.v1'],
  opens: ({ event }) =>
    event.type === 'KillSwitchActivated.v1' ? cancelAllTask(event.data.accountId, event) : null,
  closes: ({ event }) => (event.type === 'KillSwitchReleased.v1' ? event.data.accountId : null),
  work: (task) =>
    workOnCancels<'done'>(deps, task, 'system:kill-switch', (account) => {
      const cancels = cancelsLeft(account);
      return account.killed && cancels.symbol !== null ? cancels : { reply: 'done' };
    }),
});
