import type { MarketState } from '@brokerx/contracts';
import type { Findings } from '../findings.ts';
import type { AuditedOrder } from '../order.ts';
import type { RawEvent } from '../rawEvent.ts';
import { auditedAuctions } from './auctions.ts';
import { auditedBands } from './bands.ts';
import type { Incoming } from './bookIncoming.ts';
import { auditedInput } from './bookInput.ts';
import { auditedLevels } from './bookLevels.ts';
import { auditedLists } from './bookLists.ts';
import { auditedMoney } from './bookMoney.ts';
import { auditedStops } from './bookStops.ts';

/** One book as its events have told it so far. */
export type Book = {
  readonly symbol: string;
  /** The orders of all books, as their accounts placed them. */
  readonly orders: ReadonlyMap<string, AuditedOrder>;
  readonly findings: Findings;
  /** Adds a finding about an event. */
  readonly wrong: (event: RawEvent, what: string) => void;
  readonly levels: ReturnType<typeof auditedLevels>;
  readonly input: ReturnType<typeof auditedInput>;
  readonly stops: ReturnType<typeof auditedStops>;
  readonly lists: ReturnType<typeof auditedLists>;
  readonly auctions: ReturnType<typeof auditedAuctions>;
  readonly bands: ReturnType<typeof auditedBands>;
  /** Checks an order for an amount of money that has ended. */
  readonly spent: ReturnType<typeof auditedMoney>;
  /** What whoever lists the symbol says of sizes. */
  readonly rules: { lotShares: number; orderSharesMax: number };
  market: MarketState;
  /** The order that is arriving: what it meets is told one by one, and what is left of it comes into the book after that. */
  incoming: Incoming | undefined;
  trades: number;
};

export function emptyBook(
  symbol: string,
  orders: ReadonlyMap<string, AuditedOrder>,
  findings: Findings,
): Book {
  const levels = auditedLevels();
  const input = auditedInput(symbol, findings);
  const { version } = input;
  const stops = auditedStops(symbol, findings, version);
  const rules = { lotShares: 1, orderSharesMax: Number.MAX_SAFE_INTEGER };
  const wrong = (event: RawEvent, what: string) =>
    findings.add('mismatch', `${symbol}@${event.revision}: ${what}`);
  const lists = auditedLists({ symbol, orders, resting: levels.resting, stops, findings });
  const auctions = auditedAuctions({ ...levels, shadowed: lists.shadowed, wrong, version });
  const bands = auditedBands(wrong);
  const sells = () => levels.inPriority('sell');
  const spent = auditedMoney({ orders, sells, othersOf: lists.othersOf, bands, rules, version, wrong });
  return {
    symbol,
    orders,
    findings,
    wrong,
    levels,
    input,
    stops,
    lists,
    auctions,
    bands,
    spent,
    rules,
    market: 'continuous',
    incoming: undefined,
    trades: 0,
  };
}
