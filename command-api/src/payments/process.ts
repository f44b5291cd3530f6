import {
  type AccountEvent,
  type AccountFact,
  type Cause,
  keyOfStream,
  seal,
  timeOf,
} from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import { withinTime } from '@brokerx/infra/runtime/waiting.ts';
import type { Account } from '../account/account.ts';
import type { Accounts } from '../account/accounts.ts';
import { rejectDeposit, settleDeposit } from '../money/money.ts';
import { startTasks, type TaskDeps, type TaskList } from '../tasks/openTasks.ts';
import { type PaymentOutcome, type Payments, PaymentsUnavailable } from './payments.ts';

/**
 * Collects requested deposits from the payment service and records their outcomes. A deposit may be asked for several
 * times, but its outcome is recorded once, because the account knows which of its deposits are pending.
 */
type DepositTask = {
  /** The id of the deposit. */
  id: string;
  accountId: string;
  amountCents: number;
  eventId: string;
  correlationId: string;
  traceparent: string;
};

/** Without an answer in this time the service is asked again. */
const COLLECT_TIMEOUT_MS = 10_000;
const PENDING_FIRST_MS = 500;
const PENDING_LAST_MS = 30_000;

export function startPayments(deps: TaskDeps & { accounts: Accounts; payments: Payments }) {
  return startTasks(depositTasks(deps), deps);
}

function depositTasks(deps: {
  accounts: Accounts;
  payments: Payments;
  runtime: Runtime;
}): TaskList<DepositTask> {
  const { accounts, payments, runtime } = deps;
  const record = async (task: DepositTask, decide: (account: Account) => AccountFact[]) => {
    await accounts.execute(task.accountId, (account, { commitId }) => {
      const facts = decide(account);
      if (facts.length === 0) return { reply: null, rests: 'absent' };
      return { events: seal(commitId, causeOf(task, runtime), facts) as AccountEvent[], symbol: null };
    });
  };
  return {
    name: 'payments',
    version: 1,
    category: 'account',
    types: ['DepositRequested.v1', 'DepositSettled.v1', 'DepositRejected.v1'],
    opens({ event, stream }) {
      if (event.type !== 'DepositRequested.v1') return null;
      const { depositId, amountCents } = event.data;
      const { id: eventId, correlationId, traceparent } = event;
      return {
        id: depositId,
        accountId: keyOfStream(stream),
        amountCents,
        eventId,
        correlationId,
        traceparent,
      };
    },
    closes({ event }) {
      const ends = event.type === 'DepositSettled.v1' || event.type === 'DepositRejected.v1';
      return ends ? event.data.depositId : null;
    },
    async work(task, attempt) {
      const { id: depositId, accountId, amountCents } = task;
      const outcome = await withTimeout(runtime, payments.collect({ depositId, accountId, amountCents }));
      if (outcome.status === 'pending') {
        return { againInMs: Math.min(PENDING_LAST_MS, PENDING_FIRST_MS * 2 ** Math.min(attempt - 1, 10)) };
      }
      await record(task, (account) =>
        outcome.status === 'settled'
          ? settleDeposit(account, depositId)
          : rejectDeposit(account, depositId, outcome.reason),
      );
      return 'done';
    },
  };
}

const causeOf = (task: DepositTask, runtime: Runtime): Cause => ({
  time: timeOf(runtime.nowMs()),
  actor: 'system:payments',
  correlationId: task.correlationId,
  causationId: task.eventId,
  traceparent: task.traceparent,
});

const withTimeout = (runtime: Runtime, outcome: Promise<PaymentOutcome>): Promise<PaymentOutcome> =>
  withinTime(runtime, COLLECT_TIMEOUT_MS, outcome, () => {
    throw new PaymentsUnavailable(`no answer in ${COLLECT_TIMEOUT_MS} ms`);
  });
