import { type Event, isEngineInput, keyOfStream } from '@brokerx/contracts';
import { type AuditedBook, auditedBook } from './book/book.ts';
import { conserve } from './conservation.ts';
import { fillFrom } from './fill.ts';
import { type Findings, newFindings } from './findings.ts';
import { accountLedger } from './ledger.ts';
import type { RawEvent } from './rawEvent.ts';
import { type AuditedCandles, addTrade, noCandles } from './shown/candles.ts';

/**
 * Reads the whole history once, in the order of the store, and checks everything that must hold in it. It shares no code
 * with the services: it computes accounts, orders and books from the events in its own way.
 */
export type HistoryAudit = ReturnType<typeof auditHistory>;

/** A use of an Idempotency-Key: the type and the subject of the event that carries it. */
export type KeyUse = { type: string; accountId: string | undefined; subjectId: string | undefined };

export type Unanswered = { inputs: number; settlements: number; deposits: number };

/** Answered inputs are forgotten this many at a time, because cutting an array takes time with its length. */
const ANSWERED_KEPT = 10_000;

/** An input of a symbol's engine. */
type Input = {
  id: string;
  position: number;
  /** The event, if it is one of the market itself: the book applies it when its turn comes. */
  market?: RawEvent;
};
type Market = {
  book: AuditedBook;
  candles: AuditedCandles;
  inputs: Input[];
  /** How many of the inputs the engine has answered. */
  answered: number;
  /** The input whose outputs are being read. */
  current: Input | undefined;
};

export function auditHistory(findings: Findings = newFindings()) {
  const revisions = new Map<string, number>();
  const keys = new Map<string, KeyUse[]>();
  const markets = new Map<string, Market>();
  const ledger = accountLedger(findings);
  const counts = { events: 0, orders: 0, refusals: 0, trades: 0 };
  /** Texts about rows that were shown before their events were read, by id of the event or fill. */
  const awaited = new Map<string, string>();
  let position = 0;

  const marketOf = (symbol: string): Market => {
    let existing = markets.get(symbol);
    if (!existing) {
      existing = {
        book: auditedBook(symbol, ledger.orders, findings),
        candles: noCandles(),
        inputs: [],
        answered: 0,
        current: undefined,
      };
      markets.set(symbol, existing);
    }
    return existing;
  };

  const checkPlace = (event: RawEvent) => {
    findings.expect(
      event.position > position,
      'mismatch',
      () => `position ${event.position} comes after ${position}`,
    );
    position = event.position;
    const expected = (revisions.get(event.stream) ?? -1) + 1;
    if (event.revision > expected) {
      findings.add('lost', `${event.stream}: revisions ${expected} to ${event.revision - 1} are missing`);
    } else if (event.revision < expected) {
      findings.add('duplicate', `${event.stream}: revision ${event.revision} is there twice`);
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

  /** Applies an output of an engine. Outputs must come in the order of the inputs, all of one input together. */
  const applyOutput = (event: RawEvent) => {
    const symbol = keyOfStream(event.stream);
    const market = marketOf(symbol);
    if (event.type === 'EngineStarted.v1') return;
    if (event.causation_id !== market.current?.id) {
      market.book.inputDone();
      const next = market.inputs[market.answered];
      if (next?.id === event.causation_id) {
        market.answered += 1;
        market.current = next;
        if (next.market) market.book.market(next.market);
        if (market.answered > ANSWERED_KEPT) {
          market.inputs.splice(0, market.answered);
          market.answered = 0;
        }
      } else {
        const later = market.inputs.findIndex(({ id }) => id === event.causation_id);
        findings.add(
          later > market.answered ? 'mismatch' : 'duplicate',
          `${event.stream}@${event.revision}: answers ${event.causation_id}, whose turn it is not`,
        );
        market.current = { id: event.causation_id, position: event.position };
        if (later > market.answered) market.answered = later + 1;
      }
    }
    market.book.apply(event);
    if (event.type === 'TradeExecuted.v1') {
      counts.trades += 1;
      addTrade(market.candles, event);
    }
    ledger.bookOutput(event, symbol);
  };

  return {
    findings,
    accounts: ledger.accounts,
    markets: markets as ReadonlyMap<string, Pick<Market, 'candles'>>,
    orders: ledger.orders,
    refused: ledger.refused,
    keys,
    counts,
    get position() {
      return position;
    },

    /** Notes a row that was shown before its event was read: the event must come before the end. */
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
      checkPlace(event);
      noteKey(event);
      if (event.stream.startsWith('account-')) {
        if (event.type === 'OrderPlaced.v1') counts.orders += 1;
        if (event.type === 'OrderListPlaced.v1') counts.orders += event.data.orders.length;
        if (event.type === 'OrderRefused.v1') counts.refusals += 1;
        ledger.accountEvent(event);
      }
      if (isEngineInput(event as unknown as Event)) {
        marketOf((event.data as { symbol: string }).symbol).inputs.push({
          id: event.id,
          position: event.position,
          ...(event.stream.startsWith('market-') ? { market: event } : {}),
        });
      }
      if (event.type === 'SymbolListed.v1') {
        const { lotShares = 1, orderSharesMax } = event.data.rules;
        Object.assign(marketOf(event.data.symbol).book.rules, { lotShares, orderSharesMax });
      }
      if (event.stream.startsWith('book-')) applyOutput(event);
    },

    /** What the services have not answered, of everything up to this position. Defaults to everything read. */
    unanswered(upTo = Number.MAX_SAFE_INTEGER): Unanswered {
      let inputs = 0;
      for (const { inputs: own, answered } of markets.values()) {
        for (let index = answered; index < own.length && (own[index] as Input).position <= upTo; index++)
          inputs += 1;
      }
      return { inputs, ...ledger.unanswered(upTo) };
    },

    /** Ends the audit: whatever is unanswered is a finding, and everything must sum to zero. */
    finish(upTo = Number.MAX_SAFE_INTEGER): void {
      for (const { book } of markets.values()) book.inputDone();
      const { inputs, settlements, deposits } = this.unanswered(upTo);
      findings.expect(inputs === 0, 'liveness', () => `${inputs} inputs have no answer from their engine`);
      findings.expect(settlements === 0, 'liveness', () => `${settlements} book outputs are not settled`);
      findings.expect(deposits === 0, 'liveness', () => `${deposits} deposits are not decided`);
      for (const { id, killed, orders } of ledger.accounts.values()) {
        const open = killed && orders.filter((order) => !order.end && !order.cancelRequested);
        if (open && open.length > 0)
          findings.add('liveness', `${open.length} orders of ${id} were not canceled by its kill switch`);
      }
      conserve(ledger.accounts.values(), this.unanswered().settlements === 0, findings);
      for (const what of awaited.values())
        findings.add('phantom', `${what} is shown, and no event explains it`);
    },
  };
}

/** The id of the order, deposit or transfer that an event is about. */
function subjectOf(event: RawEvent): string | undefined {
  // The subject of a list is its first order.
  if (event.type === 'OrderListPlaced.v1') return event.data.orders[0]?.orderId;
  const data = event.data as {
    orderId?: string;
    depositId?: string;
    transferId?: string;
    subjectId?: string;
  };
  return data.orderId ?? data.depositId ?? data.transferId ?? data.subjectId;
}
