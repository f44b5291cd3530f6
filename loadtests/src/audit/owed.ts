import type { Findings } from './findings.ts';
import type { AuditedOrder } from './order.ts';
import type { RawEvent, RawEventOf } from './rawEvent.ts';

/** What the books have said and accounts must still take: each output once for each order in it, and in its turn. */
export type Owed = {
  readonly findings: Findings;
  readonly orders: Map<string, AuditedOrder>;
  /** By symbol, sequence and order. */
  readonly outputs: Map<string, { position: number; output: RawEvent }>;
};

/** Events by which an account takes an output of a book. */
export type Settlement = RawEventOf<
  | 'OrderFilled.v1'
  | 'OrderAmended.v1'
  | 'OrderAmendRejected.v1'
  | 'OrderArmed.v1'
  | 'OrderDecremented.v1'
  | 'OrderClosed.v1'
>;

const keyOf = (symbol: string, sequence: number, orderId: string) => `${symbol}/${sequence}/${orderId}`;

/** Notes what the accounts must now settle. */
export function noteOutput(owed: Owed, event: RawEvent, symbol: string): void {
  const owe = (orderId: string) => {
    owed.outputs.set(keyOf(symbol, event.revision, orderId), { position: event.position, output: event });
  };
  switch (event.type) {
    case 'TradeExecuted.v1':
      owe(event.data.maker.orderId);
      owe(event.data.taker.orderId);
      return;
    case 'TradePrevented.v1':
      if (event.data.mode !== 'decrement') return;
      owe(event.data.maker.orderId);
      owe(event.data.taker.orderId);
      return;
    case 'OrderReplaceRejected.v1':
      // An order that had ended meanwhile needs no answer: it has no amendment any more.
      if (owed.orders.get(event.data.order.orderId)?.end === null) owe(event.data.order.orderId);
      return;
    case 'OrderCancelRejected.v1':
      return;
    case 'OrderRejected.v1':
    case 'OrderReplaced.v1':
    case 'OrderCanceled.v1':
    case 'OrderExpired.v1':
    case 'OrderActivated.v1':
    case 'OrderCompleted.v1':
      owe(event.data.order.orderId);
      return;
    default:
      return;
  }
}

/** The output that this event settles; a finding when there is none or it was settled before. */
export function settledOutput(
  { findings, outputs }: Owed,
  event: Settlement,
  order: AuditedOrder,
  types: readonly string[],
): RawEvent | undefined {
  const { sequence } = event.data;
  const key = keyOf(order.symbol, sequence, order.id);
  const output = outputs.get(key)?.output;
  if (!output || !types.includes(output.type)) {
    const again = sequence <= order.lastSequence;
    findings.add(
      again ? 'duplicate' : 'phantom',
      `${event.stream}@${event.revision}: ${event.type} for ${key}, which the book did not say${again ? ' again' : ''}`,
    );
    return undefined;
  }
  outputs.delete(key);
  findings.expect(sequence > order.lastSequence, 'mismatch', () => `${key} is settled after a later output`);
  order.lastSequence = sequence;
  return output;
}

/** How many outputs up to this position are not settled. */
export function unsettled({ orders, outputs }: Owed, upTo: number): number {
  let count = 0;
  for (const [key, { position, output }] of outputs) {
    const answerNeeded =
      output.type !== 'OrderReplaceRejected.v1' ||
      orders.get(key.slice(key.lastIndexOf('/') + 1))?.end === null;
    if (position <= upTo && answerNeeded) count += 1;
  }
  return count;
}
