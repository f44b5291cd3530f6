/** The payment service port: it collects the money of deposits from outside. */
export type Payments = {
  /**
   * Collects a deposit, once for its id however often it is asked: asking again tells what became of it. Rejects
   * with `PaymentsUnavailable` when it could not be asked; then nothing is known and it is to be asked again.
   */
  collect(deposit: { depositId: string; accountId: string; amountCents: number }): Promise<PaymentOutcome>;
};

export type PaymentOutcome =
  | { status: 'settled' }
  | { status: 'rejected'; reason: PaymentRejection }
  /** Ask again later. */
  | { status: 'pending' };

export type PaymentRejection =
  | 'insufficient_funds'
  | 'card_expired'
  | 'suspected_fraud'
  | 'limit_exceeded'
  | 'invalid_account'
  | 'service_unavailable';

export class PaymentsUnavailable extends Error {
  override name = 'PaymentsUnavailable';
}
