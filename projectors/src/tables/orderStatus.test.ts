import { type AccountFact, type BookFact, type OrderStatus, STATUS_NEXT } from '@brokerx/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ALICE, accepted, aliceBuys, aliceGets40, id, ORDER, ref, settled, story } from '../../test/given.ts';
import { evolveRow, type OrderRow, openRows } from './orderRow.ts';

/** Anything that may be told of an open order, in any order: the fold must keep to the documented table. */
const data = { orderId: ORDER, accountId: ALICE, symbol: 'AAPL' };
const place = { order: ref(), side: 'buy' as const };
const happenings: readonly (AccountFact | BookFact)[] = [
  accepted(),
  accepted({ type: 'stop', held: true, restingQuantity: 0 }),
  {
    type: 'OrderTriggered.v1',
    data: {
      ...place,
      stopTicks: 1,
      lastTicks: 1,
      limitTicks: 1,
      quantity: 1,
      restingQuantity: 0,
      entersAfter: 0,
    },
  },
  { type: 'OrderCancelRequested.v1', data },
  { type: 'OrderAmendRequested.v1', data: { ...data, amendment: 1, quantity: 50 } },
  { type: 'OrderCancelRejected.v1', data: { order: ref(), code: 'ORDER_NOT_OPEN' } },
  {
    type: 'OrderAmendRejected.v1',
    data: { orderId: ORDER, symbol: 'AAPL', sequence: 4, amendment: 1, code: 'WOULD_TAKE' },
  },
  {
    type: 'OrderAmended.v1',
    data: { ...settled, amendment: 1, quantity: 50, leavesQuantity: 50, closes: false },
  },
  {
    type: 'OrderDecremented.v1',
    data: { ...settled, quantity: 1, preventedQuantity: 1, leavesQuantity: 49 },
  },
  aliceGets40(),
  aliceGets40({ orderId: id('a sibling'), sibling: { orderId: ORDER, quantity: 60, leavesQuantity: 60 } }),
  aliceGets40({ filledQuantity: 100, leavesQuantity: 0, closes: true }),
  {
    type: 'OrderClosed.v1',
    data: { ...settled, status: 'expired', reason: 'DAY_ENDED', unfilledQuantity: 100 },
  },
];

test('whatever is told of an order, its status moves as the table says', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: happenings.length - 1 }), { maxLength: 30 }), (numbers) => {
      const { account, book } = story();
      const [row] = openRows(account(ALICE, aliceBuys())) as [OrderRow];
      for (const number of numbers) {
        const fact = happenings[number] as AccountFact | BookFact;
        // An order is accepted once, before anything else that the book says of it.
        if (fact.type === 'OrderAccepted.v1' && (row.accepted || row.filledQuantity > 0)) continue;
        const before: OrderStatus = row.status;
        const ofBook = 'order' in fact.data;
        evolveRow(row, ofBook ? book('AAPL', fact as BookFact) : account(ALICE, fact as AccountFact));
        if (row.status !== before) expect(STATUS_NEXT[before]).toContain(row.status);
      }
    }),
    { numRuns: 2_000 },
  );
});

/**
 * What a market and its settlement can tell of one order, in every order that can happen: the book takes what is asked in the
 * order of asking, and may trade or end the order in between; settlement follows behind, as late as it likes.
 */
const ACTS = ['cancel', 'amend', 'input', 'trade', 'fill', 'expire', 'settle', 'settle'] as const;
type Act = (typeof ACTS)[number];

function life() {
  const { account, book } = story();
  const [row] = openRows(account(ALICE, aliceBuys())) as [OrderRow];
  const inputs: ('place' | 'cancel' | { amendment: number })[] = ['place'];
  const outputs: AccountFact[] = [];
  const inBook = { open: false, filled: 0 };
  const shown = { end: null as string | null, filled: 0, accepted: false, cancel: false, amend: false };
  let amendments = 0;

  const tell = (fact: BookFact, meaning?: AccountFact) => {
    evolveRow(row, book('AAPL', fact));
    if (meaning) outputs.push(meaning);
  };
  const end = (status: 'canceled' | 'expired', fact: BookFact) => {
    inBook.open = false;
    tell(fact, {
      type: 'OrderClosed.v1',
      data: { ...settled, status, reason: null, unfilledQuantity: 100 - inBook.filled },
    });
  };
  const place = { order: ref(), side: 'buy' as const, priceTicks: 15_000 };
  const trade = (quantity: number) => {
    inBook.filled += quantity;
    const closes = inBook.filled === 100;
    inBook.open = !closes;
    const leavesQuantity = 100 - inBook.filled;
    outputs.push(aliceGets40({ quantity, filledQuantity: inBook.filled, leavesQuantity, closes }));
  };
  const takeInput = () => {
    const input = inputs.shift();
    if (input === 'place') {
      inBook.open = true;
      shown.accepted = true;
      tell(accepted());
    } else if (input === 'cancel') {
      const open = { ...place, quantity: 100 - inBook.filled };
      if (inBook.open) end('canceled', { type: 'OrderCanceled.v1', data: open });
      else tell({ type: 'OrderCancelRejected.v1', data: { order: ref(), code: 'ORDER_NOT_OPEN' } });
    } else if (input) {
      const { amendment } = input;
      const code = inBook.open ? 'WOULD_TAKE' : 'ORDER_NOT_OPEN';
      tell(
        { type: 'OrderReplaceRejected.v1', data: { order: ref(), amendment, code } },
        {
          type: 'OrderAmendRejected.v1',
          data: { orderId: ORDER, symbol: 'AAPL', sequence: 4, amendment, code },
        },
      );
    }
  };
  const settle = () => {
    const fact = outputs.shift();
    // What is about an order that has ended means nothing to its account.
    if (!fact || shown.end) return;
    if (fact.type === 'OrderFilled.v1') {
      shown.filled = fact.data.filledQuantity;
      if (fact.data.closes) shown.end = 'filled';
    }
    if (fact.type === 'OrderAmendRejected.v1') shown.amend = false;
    if (fact.type === 'OrderClosed.v1') shown.end = fact.data.status;
    evolveRow(row, account(ALICE, fact));
  };
  const ask = (fact: AccountFact, input: (typeof inputs)[number]) => {
    inputs.push(input);
    evolveRow(row, account(ALICE, fact));
  };
  const acts: Record<Act, () => void> = {
    cancel() {
      if (shown.end || shown.cancel) return;
      shown.cancel = true;
      ask({ type: 'OrderCancelRequested.v1', data }, 'cancel');
    },
    amend() {
      if (shown.end || shown.amend) return;
      shown.amend = true;
      amendments += 1;
      const amendment = amendments;
      ask(
        { type: 'OrderAmendRequested.v1', data: { ...data, amendment, quantity: 100, limitTicks: 1 } },
        { amendment },
      );
    },
    input: takeInput,
    trade: () => {
      if (inBook.open && inBook.filled < 90) trade(10);
    },
    fill: () => {
      if (inBook.open) trade(100 - inBook.filled);
    },
    expire: () => {
      const gone = { ...place, quantity: 100 - inBook.filled, resting: true, reason: 'DAY_ENDED' as const };
      if (inBook.open) end('expired', { type: 'OrderExpired.v1', data: gone });
    },
    settle,
  };
  /** FIX's precedence, over what was asked, what was answered and what was booked. */
  const expected = (): string => {
    if (shown.end) return shown.end;
    if (shown.cancel) return 'pending_cancel';
    if (shown.amend) return 'pending_replace';
    if (shown.filled > 0) return 'partially_filled';
    return shown.accepted ? 'new' : 'pending_new';
  };
  return { row, acts, expected, isOver: () => inputs.length === 0 && outputs.length === 0 };
}

test('in every order that can happen, what is asked lies over what is booked until the end is booked, too', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...ACTS), { maxLength: 30 }), (sequence) => {
      const { row, acts, expected, isOver } = life();
      const statuses: string[] = [];
      const act = (name: Act) => {
        acts[name]();
        statuses.push(row.status);
        expect([name, row.status]).toEqual([name, expected()]);
      };
      sequence.forEach(act);
      // Everything that was asked is answered and booked in the end.
      for (const name of ['input', 'fill'] as const) act(name);
      while (!isOver()) for (const name of ['input', 'settle'] as const) act(name);
      expect(['filled', 'canceled', 'expired']).toContain(row.status);
      // Once a cancel was asked for, nothing is shown but that and the end.
      const since = statuses.slice(statuses.indexOf('pending_cancel'));
      if (statuses.includes('pending_cancel')) expect(new Set(since).size).toBeLessThanOrEqual(2);
    }),
    { numRuns: 3_000 },
  );
});

test('an order that was filled before its cancel arrived never reads as if it stood in the market', () => {
  const { row, acts } = life();
  const shown = (['input', 'fill', 'cancel', 'input', 'settle'] as const).map((name) => {
    acts[name]();
    return row.status;
  });
  expect(shown).toEqual(['new', 'new', 'pending_cancel', 'pending_cancel', 'filled']);
});
