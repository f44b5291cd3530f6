import assert from 'node:assert/strict';
import { type Event, keyOfStream } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';

/**
 * Double entry: the amounts that an account event moves between the books of cash (cents) and of one symbol's shares. Wallets,
 * holdings and the ledger all derive from these entries, so they cannot disagree. The two legs of a trade cancel out in the
 * clearing books once both are booked.
 */
export type JournalEntry = {
  position: number;
  eventId: string;
  accountId: string;
  /** The event's type without its version. */
  kind: string;
  orderId: string | null;
  symbol: string | null;
  cashAvailable: number;
  cashHeld: number;
  cashClearing: number;
  cashFees: number;
  cashOutside: number;
  sharesAvailable: number;
  sharesHeld: number;
  sharesClearing: number;
  sharesOutside: number;
  time: string;
};

/**
 * Returns the entries of a batch, in order. Several projections fold the same batch: it is read once, and they share the entries
 * as they share the events.
 */
export function journalOf(events: readonly Recorded<Event>[]): readonly JournalEntry[] {
  let entries = entriesOf.get(events);
  if (!entries) {
    entries = events.map(journalEntry).filter((entry) => entry !== undefined);
    entriesOf.set(events, entries);
  }
  return entries;
}
const entriesOf = new WeakMap<readonly Recorded<Event>[], readonly JournalEntry[]>();

/** The entry of an event; undefined where it moves nothing. Throws where it does not balance, which is a defect. */
function journalEntry(recorded: Recorded<Event>): JournalEntry | undefined {
  const { event } = recorded;
  if (!MOVING.has(event.type)) return undefined;
  const entry = blank(recorded);
  switch (event.type) {
    case 'DepositSettled.v1':
    case 'CashTransferredIn.v1':
      entry.cashOutside -= event.data.amountCents;
      entry.cashAvailable = event.data.amountCents;
      break;
    case 'SharesTransferredIn.v1':
      entry.symbol = event.data.symbol;
      entry.sharesOutside -= event.data.quantity;
      entry.sharesAvailable = event.data.quantity;
      break;
    case 'OrderPlaced.v1':
      entry.orderId = event.data.orderId;
      entry.symbol = event.data.symbol;
      entry.cashAvailable -= event.data.holdCents;
      entry.cashHeld = event.data.holdCents;
      entry.sharesAvailable -= event.data.holdShares;
      entry.sharesHeld = event.data.holdShares;
      break;
    case 'OrderListPlaced.v1':
      release(
        entry,
        { orderId: event.data.orders[0]?.orderId ?? '', symbol: event.data.symbol },
        -event.data.holdCents,
        -event.data.holdShares,
      );
      break;
    case 'OrderAmendRequested.v1':
      release(entry, event.data, -(event.data.holdCents ?? 0), -(event.data.holdShares ?? 0));
      break;
    case 'OrderFilled.v1': {
      const { side, quantity, valueCents, feeCents } = event.data;
      release(entry, event.data, event.data.releasedCents, event.data.releasedShares);
      entry.cashFees = feeCents;
      if (side === 'buy') {
        entry.cashHeld -= valueCents + feeCents;
        entry.cashClearing = valueCents;
        const { heldShares = 0 } = event.data;
        entry.sharesAvailable += quantity - heldShares;
        entry.sharesHeld += heldShares;
        entry.sharesClearing = -quantity;
      } else {
        entry.cashAvailable += valueCents - feeCents;
        entry.cashClearing = -valueCents;
        entry.sharesHeld -= quantity;
        entry.sharesClearing = quantity;
      }
      break;
    }
    case 'OrderAmended.v1':
    case 'OrderAmendRejected.v1':
    case 'OrderDecremented.v1':
    case 'OrderClosed.v1':
      release(entry, event.data, event.data.releasedCents ?? 0, event.data.releasedShares ?? 0);
      break;
    default:
      return undefined;
  }
  return moves(entry) ? entry : undefined;
}

const MOVING: ReadonlySet<string> = new Set<Event['type']>([
  'DepositSettled.v1',
  'CashTransferredIn.v1',
  'SharesTransferredIn.v1',
  'OrderPlaced.v1',
  'OrderListPlaced.v1',
  'OrderFilled.v1',
  'OrderAmendRequested.v1',
  'OrderAmended.v1',
  'OrderAmendRejected.v1',
  'OrderDecremented.v1',
  'OrderClosed.v1',
]);

/** Moves cents and shares from held to available; negative amounts move the other way. */
function release(
  entry: JournalEntry,
  { orderId, symbol }: { orderId: string; symbol: string },
  cents: number,
  shares: number,
): void {
  entry.orderId = orderId;
  entry.symbol = symbol;
  entry.cashAvailable += cents;
  entry.cashHeld -= cents;
  entry.sharesAvailable += shares;
  entry.sharesHeld -= shares;
}

function moves(e: JournalEntry): boolean {
  const cash = e.cashAvailable + e.cashHeld + e.cashClearing + e.cashFees + e.cashOutside;
  const shares = e.sharesAvailable + e.sharesHeld + e.sharesClearing + e.sharesOutside;
  assert(
    cash === 0 && shares === 0,
    `${e.kind} at ${e.position} is out of balance: ${cash} cents, ${shares} shares`,
  );
  return (
    e.cashAvailable !== 0 ||
    e.cashHeld !== 0 ||
    e.cashClearing !== 0 ||
    e.sharesAvailable !== 0 ||
    e.sharesHeld !== 0 ||
    e.sharesClearing !== 0
  );
}

function blank({ event, stream, position }: Recorded<Event>): JournalEntry {
  return {
    position,
    eventId: event.id,
    accountId: keyOfStream(stream),
    kind: event.type.slice(0, event.type.lastIndexOf('.')),
    orderId: null,
    symbol: null,
    cashAvailable: 0,
    cashHeld: 0,
    cashClearing: 0,
    cashFees: 0,
    cashOutside: 0,
    sharesAvailable: 0,
    sharesHeld: 0,
    sharesClearing: 0,
    sharesOutside: 0,
    time: event.time,
  };
}
