/** The payment service port: it collects the money of deposits from outside. */
export type Payments = {
  /**
   * Collects the money of a deposit, once per id: a repeated call returns the outcome. Rejects with `PaymentsUnavailable`
   * if the service cannot be reached; the outcome is then unknown, and the caller has to call again.
   */
  collect(deposit: { depositId: string; accountId: string; amountCents: number }): Promise<PaymentOutcome>;
};

export type PaymentOutcome =
  | { status: 'settled' }
  | { status: 'rejected'; reason: PaymentRejection }
  /** The caller has to ask again later. */
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
