import { type Event, isEngineInput, keyOfStream } from '@brokerx/contracts';
import { type AuditedBook, auditedBook } from './book/book.ts';
import { conserve } from './conservation.ts';
import { fillFrom } from './fill.ts';
import { type Findings, findings } from './findings.ts';
import { accountLedger } from './ledger.ts';
import type { RawEvent } from './rawEvent.ts';
import { type AuditedCandles, addTrade, noCandles } from './shown/candles.ts';

/**
 * Reads the whole history in the order of the store, once, and checks everything that must hold in it. It shares
 * no code with the services: what they fold, it folds again in its own way.
 */
export type HistoryAudit = ReturnType<typeof auditHistory>;

/** Where each Idempotency-Key was used: types of the first events of its commits. */
export type KeyUse = { type: string; accountId: string | undefined; subjectId: string | undefined };

export type Unanswered = { inputs: number; settlements: number; deposits: number };

/** Answered inputs are forgotten in such blocks: cutting an array costs as much as it is long. */
const ANSWERED_KEPT = 10_000;

/** `market`: an event of the market itself, which takes effect when it is its turn. */
type Input = { id: string; position: number; market?: RawEvent };
type Market = {
  book: AuditedBook;
  candles: AuditedCandles;
  inputs: Input[];
  answered: number;
  current: Input | undefined;
};

export function auditHistory(found: Findings = findings()) {
  const revisions = new Map<string, number>();
  const keys = new Map<string, KeyUse[]>();
  const markets = new Map<string, Market>();
  const ledger = accountLedger(found);
  const counts = { events: 0, orders: 0, refusals: 0, trades: 0 };
  /** What is shown of events that were not read yet, by event or fill. */
  const awaited = new Map<string, string>();
  let position = 0;

  const market = (symbol: string): Market => {
    let known = markets.get(symbol);
    if (!known) {
      known = {
        book: auditedBook(symbol, ledger.orders, found),
        candles: noCandles(),
        inputs: [],
        answered: 0,
        current: undefined,
      };
      markets.set(symbol, known);
    }
    return known;
  };

  const place = (event: RawEvent) => {
    found.expect(
      event.position > position,
      'mismatch',
      () => `position ${event.position} comes after ${position}`,
    );
    position = event.position;
    const expected = (revisions.get(event.stream) ?? -1) + 1;
    if (event.revision > expected) {
      found.add('lost', `${event.stream}: revisions ${expected} to ${event.revision - 1} are missing`);
    } else if (event.revision < expected) {
      found.add('duplicate', `${event.stream}: revision ${event.revision} is there twice`);
    }
    revisions.set(event.stream, event.revision);
  };

  const noteKey = (event: RawEvent) => {
    if (!event.key) return;
    const use: KeyUse = {
      type: event.type,
      accountId: event.stream.startsWith('account-') ? keyOfStream(event.stream) : undefined,
      subjectId: subjectOf(event),
    };
    const uses = keys.get(event.key.id);
    if (uses) uses.push(use);
    else keys.set(event.key.id, [use]);
  };

  /** Outputs come in the order of the inputs, all of one input together. */
  const output = (event: RawEvent) => {
    const symbol = keyOfStream(event.stream);
    const its = market(symbol);
    if (event.type === 'EngineStarted.v1') return;
    if (event.causation_id !== its.current?.id) {
      its.book.inputDone();
      const next = its.inputs[its.answered];
      if (next?.id === event.causation_id) {
        its.answered += 1;
        its.current = next;
        if (next.market) its.book.market(next.market);
        if (its.answered > ANSWERED_KEPT) {
          its.inputs.splice(0, its.answered);
          its.answered = 0;
        }
      } else {
        const later = its.inputs.indexOf(its.inputs.find(({ id }) => id === event.causation_id) as Input);
        found.add(
          later > its.answered ? 'mismatch' : 'duplicate',
          `${event.stream}@${event.revision}: answers ${event.causation_id}, whose turn it is not`,
        );
        its.current = { id: event.causation_id, position: event.position };
        if (later > its.answered) its.answered = later + 1;
      }
    }
    its.book.apply(event);
    if (event.type === 'TradeExecuted.v1') {
      counts.trades += 1;
      addTrade(its.candles, event);
    }
    ledger.bookOutput(event, symbol);
  };

  return {
    findings: found,
    accounts: ledger.accounts,
    markets: markets as ReadonlyMap<string, Pick<Market, 'candles'>>,
    orders: ledger.orders,
    refused: ledger.refused,
    keys,
    counts,
    get position() {
      return position;
    },

    /** A list shows what was not read yet: there must be an event for it by the end. */
    expectLater(id: string, what: string): void {
      awaited.set(id, what);
    },
    get awaiting() {
      return awaited.size;
    },

    take(event: RawEvent): void {
      counts.events += 1;
      awaited.delete(event.id);
      if (event.type === 'OrderFilled.v1') awaited.delete(fillFrom(event.data).id);
      place(event);
      noteKey(event);
      if (event.stream.startsWith('account-')) {
        if (event.type === 'OrderPlaced.v1') counts.orders += 1;
        if (event.type === 'OrderListPlaced.v1') counts.orders += event.data.orders.length;
        if (event.type === 'OrderRefused.v1') counts.refusals += 1;
        ledger.accountEvent(event);
      }
      if (isEngineInput(event as unknown as Event)) {
        market((event.data as { symbol: string }).symbol).inputs.push({
          id: event.id,
          position: event.position,
          ...(event.stream.startsWith('market-') ? { market: event } : {}),
        });
      }
      if (event.type === 'SymbolListed.v1') {
        const { lotShares = 1, orderSharesMax } = event.data.rules;
        Object.assign(market(event.data.symbol).book.rules, { lotShares, orderSharesMax });
      }
      if (event.stream.startsWith('book-')) output(event);
    },

    /** What the system still owes up to this position (by default: at all). */
    unanswered(upTo = Number.MAX_SAFE_INTEGER): Unanswered {
      let inputs = 0;
      for (const { inputs: all, answered } of markets.values()) {
        for (let index = answered; index < all.length && (all[index] as Input).position <= upTo; index++)
          inputs += 1;
      }
      return { inputs, ...ledger.unanswered(upTo) };
    },

    /** Closes the books: what is still owed is a finding, and everything must sum to zero. */
    finish(upTo = Number.MAX_SAFE_INTEGER): void {
      for (const { book } of markets.values()) book.inputDone();
      const owed = this.unanswered(upTo);
      found.expect(
        owed.inputs === 0,
        'liveness',
        () => `${owed.inputs} inputs have no answer from their engine`,
      );
      found.expect(
        owed.settlements === 0,
        'liveness',
        () => `${owed.settlements} book outputs are not settled`,
      );
      found.expect(owed.deposits === 0, 'liveness', () => `${owed.deposits} deposits are not decided`);
      for (const { id, killed, orders } of ledger.accounts.values()) {
        const standing = killed && orders.filter((order) => !order.end && !order.cancelRequested);
        if (standing && standing.length > 0)
          found.add('liveness', `${standing.length} orders of ${id} were not canceled by its kill switch`);
      }
      conserve(ledger.accounts.values(), this.unanswered().settlements === 0, found);
      for (const what of awaited.values()) found.add('phantom', `${what} is shown, and no event explains it`);
    },
  };
}

function subjectOf(event: RawEvent): string | undefined {
  // A list is named by its first order.
  if (event.type === 'OrderListPlaced.v1') return event.data.orders[0]?.orderId;
  const data = event.data as {
    orderId?: string;
    depositId?: string;
    transferId?: string;
    subjectId?: string;
  };
  return data.orderId ?? data.depositId ?? data.transferId ?? data.subjectId;
}
