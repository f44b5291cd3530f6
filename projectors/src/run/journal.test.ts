import { expect, test } from 'vitest';
import {
  ALICE,
  aliceBuys,
  aliceGets40,
  BOB,
  bobGives40,
  bobSells,
  id,
  ORDER,
  settled,
  story,
} from '../../test/given.ts';
import { foldHoldings } from '../tables/holdings.ts';
import { foldWallets } from '../tables/wallets.ts';
import { journalOf } from './journal.ts';

const cash = (amountCents: number) =>
  ({ type: 'CashTransferredIn.v1', data: { transferId: id('t'), amountCents } }) as const;
const AAPL_IN = {
  type: 'SharesTransferredIn.v1',
  data: { transferId: id('s'), symbol: 'AAPL', quantity: 100 },
} as const;

test.for([
  ['cash transferred in', ALICE, cash(500), { cashOutside: -500, cashAvailable: 500 }],
  [
    'a deposit settled',
    ALICE,
    { type: 'DepositSettled.v1', data: { depositId: id('d'), amountCents: 7 } },
    { cashOutside: -7, cashAvailable: 7 },
  ],
  ['shares transferred in', BOB, AAPL_IN, { symbol: 'AAPL', sharesOutside: -100, sharesAvailable: 100 }],
  ['a buy placed', ALICE, aliceBuys(), { symbol: 'AAPL', cashAvailable: -1_500_750, cashHeld: 1_500_750 }],
  ['a sell placed', BOB, bobSells(), { symbol: 'AAPL', sharesAvailable: -100, sharesHeld: 100 }],
  [
    'a buy filled, with its price improvement',
    ALICE,
    aliceGets40(),
    {
      symbol: 'AAPL',
      cashHeld: -600_300,
      cashClearing: 599_600,
      cashFees: 300,
      cashAvailable: 400,
      sharesClearing: -40,
      sharesAvailable: 40,
    },
  ],
  [
    'a sell filled',
    BOB,
    bobGives40(),
    {
      symbol: 'AAPL',
      sharesHeld: -40,
      sharesClearing: 40,
      cashClearing: -599_600,
      cashFees: 300,
      cashAvailable: 599_300,
    },
  ],
  [
    'an order amended',
    ALICE,
    {
      type: 'OrderAmended.v1',
      data: {
        ...settled,
        releasedCents: 150_075,
        amendment: 1,
        quantity: 90,
        leavesQuantity: 50,
        closes: false,
      },
    },
    { symbol: 'AAPL', cashHeld: -150_075, cashAvailable: 150_075 },
  ],
  [
    'a change that raises the hold',
    ALICE,
    {
      type: 'OrderAmendRequested.v1',
      data: {
        orderId: ORDER,
        accountId: ALICE,
        symbol: 'AAPL',
        amendment: 1,
        quantity: 110,
        holdCents: 150_075,
      },
    },
    { symbol: 'AAPL', cashHeld: 150_075, cashAvailable: -150_075 },
  ],
  [
    'a change rejected',
    ALICE,
    {
      type: 'OrderAmendRejected.v1',
      data: {
        orderId: ORDER,
        symbol: 'AAPL',
        sequence: 4,
        amendment: 1,
        code: 'WOULD_TAKE',
        releasedCents: 150_075,
      },
    },
    { symbol: 'AAPL', cashHeld: -150_075, cashAvailable: 150_075 },
  ],
  [
    'a prevented match',
    ALICE,
    {
      type: 'OrderDecremented.v1',
      data: {
        ...settled,
        releasedCents: 150_075,
        quantity: 10,
        preventedQuantity: 10,
        leavesQuantity: 50,
      },
    },
    { symbol: 'AAPL', cashHeld: -150_075, cashAvailable: 150_075 },
  ],
  [
    'a sell closed',
    BOB,
    {
      type: 'OrderClosed.v1',
      data: {
        ...settled,
        side: 'sell',
        releasedShares: 60,
        status: 'canceled',
        reason: null,
        unfilledQuantity: 60,
      },
    },
    { symbol: 'AAPL', sharesHeld: -60, sharesAvailable: 60 },
  ],
] as const)('%s is one balanced entry', ([, account, fact, moved]) => {
  const recorded = story().account(account, fact);
  expect(journalOf([recorded])).toEqual([
    {
      position: 1,
      eventId: recorded.event.id,
      accountId: account,
      kind: fact.type.replace('.v1', ''),
      orderId: 'orderId' in fact.data ? fact.data.orderId : null,
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
      time: recorded.event.time,
      ...moved,
    },
  ]);
});

test.for([
  ['an opening', { type: 'AccountOpened.v1', data: { accountId: ALICE, clientId: id('c') } }],
  ['a deposit asked for', { type: 'DepositRequested.v1', data: { depositId: id('d'), amountCents: 7 } }],
  [
    'a cancel asked for',
    { type: 'OrderCancelRequested.v1', data: { orderId: ORDER, accountId: ALICE, symbol: 'AAPL' } },
  ],
  [
    'an end that releases nothing',
    { type: 'OrderClosed.v1', data: { ...settled, status: 'expired', reason: null, unfilledQuantity: 0 } },
  ],
] as const)('%s moves nothing', ([, fact]) => {
  expect(journalOf([story().account(ALICE, fact)])).toEqual([]);
});

test('what both legs of a trade post against clearing cancels out', () => {
  const { account } = story();
  const entries = journalOf([account(ALICE, aliceGets40()), account(BOB, bobGives40())]);
  const sum = (of: (entry: (typeof entries)[number]) => number) =>
    entries.reduce((total, entry) => total + of(entry), 0);
  expect([sum((e) => e.cashClearing), sum((e) => e.sharesClearing)]).toEqual([0, 0]);
});

test('a wallet changes by what is booked, whatever is only held stays part of its cash', () => {
  const { account } = story();
  const events = [
    account(ALICE, { type: 'AccountOpened.v1', data: { accountId: ALICE, clientId: id('Alice, client') } }),
    account(ALICE, cash(2_000_000)),
    account(ALICE, aliceBuys()),
    account(ALICE, aliceGets40()),
  ];
  expect(foldWallets(events)).toEqual([
    {
      accountId: ALICE,
      clientId: id('Alice, client'),
      cashCents: 2_000_000 - 599_900,
      heldCents: 1_500_750 - 600_300,
    },
  ]);
});

test('a holding changes by what is booked, and is there even when nothing is left of it', () => {
  const { account } = story();
  const events = [
    account(BOB, AAPL_IN),
    account(BOB, bobSells()),
    account(BOB, bobGives40()),
    account(ALICE, aliceGets40()),
  ];
  const rows = [
    { accountId: ALICE, symbol: 'AAPL', shares: 40, heldShares: 0 },
    { accountId: BOB, symbol: 'AAPL', shares: 60, heldShares: 60 },
  ];
  expect(foldHoldings(events)).toEqual(rows.sort((a, b) => (a.accountId < b.accountId ? -1 : 1)));
});
