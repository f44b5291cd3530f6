import { type Runtime, sleep } from '@brokerx/infra';
import { LRUCache } from 'lru-cache';
import { type PaymentRejection, type Payments, PaymentsUnavailable } from './payments.ts';

/**
 * A simulated payment service. The amount alone decides the outcome, so that every outcome of a deposit can be tried:
 * $10 insufficient funds · $20 card expired · $30 suspected fraud · $40 limit exceeded · $50 invalid account ·
 * $60 not to be reached twice, then rejected · $70 not decided twice, then settled · any other amount is settled.
 */
export function simulatedPayments({ runtime, delayMs }: { runtime: Runtime; delayMs: number }): Payments {
  const attemptsByDeposit = new LRUCache<string, number>({ max: DEPOSITS_MAX });
  return {
    async collect({ depositId, amountCents }) {
      const attempts = (attemptsByDeposit.get(depositId) ?? 0) + 1;
      attemptsByDeposit.set(depositId, attempts);
      if (delayMs > 0) await sleep(runtime, delayMs);
      const reason = REJECTIONS[amountCents];
      if (reason) return { status: 'rejected', reason };
      if (amountCents === UNREACHABLE_CENTS) {
        if (attempts <= RELUCTANT_ATTEMPTS)
          throw new PaymentsUnavailable('the payment service cannot be reached');
        return { status: 'rejected', reason: 'service_unavailable' };
      }
      if (amountCents === UNDECIDED_CENTS && attempts <= RELUCTANT_ATTEMPTS) return { status: 'pending' };
      return { status: 'settled' };
    },
  };
}

const REJECTIONS: Readonly<Record<number, PaymentRejection>> = {
  1_000: 'insufficient_funds',
  2_000: 'card_expired',
  3_000: 'suspected_fraud',
  4_000: 'limit_exceeded',
  5_000: 'invalid_account',
};
const UNREACHABLE_CENTS = 6_000;
const UNDECIDED_CENTS = 7_000;
const RELUCTANT_ATTEMPTS = 2;
/** Deposits whose attempts are counted. */
const DEPOSITS_MAX = 10_000;
