import { readFileSync } from 'node:fs';
import { type AccountFact, type AmendOrder, type PlaceOrder, REFUSALS } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { accountWith, at, market, placed, T0 } from '../../test/facts.ts';
import type { Account } from '../account/account.ts';
import type { OpenOrder } from '../account/openOrder.ts';
import { OPEN_ORDERS_MAX, UNFILLED_ORDERS_MAX } from './accountRefusals.ts';
import { amendOrder, changeOf } from './amend.ts';
import { oneNewOrder } from './newOrders.ts';
import { placeOrder } from './placeOrder.ts';
import { price } from './price.ts';
import { CHANGE_LADDER, type Ladder, NEW_ORDER_LADDER } from './refusalPrecedence.ts';

/** The documented order of precedence. */
const PRECEDENCE = Object.keys(REFUSALS);
const byPrecedence = (codes: readonly string[]) =>
  codes.toSorted((a, b) => PRECEDENCE.indexOf(a) - PRECEDENCE.indexOf(b));

const cash: AccountFact = {
  type: 'CashTransferredIn.v1',
  data: { transferId: at(2), amountCents: 10_000_000 },
};

/** What is wrong with an order, its account or its market; everything else is as it should be. */
type Fault = {
  order?: Partial<PlaceOrder>;
  open?: Partial<OpenOrder>;
  change?: AmendOrder;
  account?: Partial<Account>;
  market?: Parameters<typeof market>[0] | null;
};

const shared = {
  KILL_SWITCH: { account: { killed: { by: 'owner', reason: null } } },
  SYMBOL_HALTED: { market: { state: 'halt' } },
  MARKET_CLOSED: { market: { state: 'closed' } },
  ORDER_SIZE: { market: { rules: { orderSharesMax: 5 } } },
  LOT_STEP: { market: { rules: { lotShares: 7 } } },
  MIN_NOTIONAL: { market: { rules: { notionalMinCents: 1_000_000 } } },
  MAX_NOTIONAL: { market: { rules: { notionalMaxCents: 1 } } },
  INSUFFICIENT_FUNDS: { account: { cashCents: 0 } },
} as const satisfies Record<string, Fault>;

/** One fault for each line of the ladder of new orders. */
const ORDER_FAULTS: Readonly<Record<string, Fault>> = {
  ...shared,
  UNKNOWN_SYMBOL: { market: null },
  MATCHING_RULES: { order: { post_only: true }, market: { matchingRules: 1 } },
  DUPLICATE_CLIENT_ORDER_ID: { order: { client_order_id: 'mine' } },
  PRICE_TICK: { order: { limit_price: '10.01' }, market: { tickCents: 5 } },
  PRICE_BAND: { order: { limit_price: '11.50' } },
  ICEBERG_PEAKS: { order: { qty: '303', display_qty: '3' } },
  TIME_IN_FORCE: { order: { type: 'market', limit_price: undefined, time_in_force: 'gtc' } },
  OPENING_OVER: { order: { time_in_force: 'opg' } },
  NOT_IN_AUCTION: { order: { min_qty: '5' }, market: { state: 'pre_open' } },
  EXPIRES_AT: { order: { expires_at: T0 } },
  WOULD_TRIGGER_IMMEDIATELY: { order: { type: 'stop', limit_price: undefined, stop_price: '10.00' } },
  MAX_OPEN_ORDERS: { account: { orders: new Map(manyOrders()) } },
  ORDER_RATE: {
    account: {
      rates: { windowMs: Date.parse(T0), unfilled: UNFILLED_ORDERS_MAX, refusedOrders: 0, refusedOthers: 0 },
    },
  },
  INSUFFICIENT_SHARES: { order: { side: 'sell' } },
};

/** One fault for each line of the ladder of changes. */
const CHANGE_FAULTS: Readonly<Record<string, Fault>> = {
  ...shared,
  AMEND_PENDING: { open: { amendPending: { quantity: 4, limitTicks: 1_000 } } },
  ORDER_LIST: { open: { dormant: true } },
  ORDER_TYPE: { open: { notionalCents: 10_000 } },
  AMEND_NO_CHANGE: { change: { qty: '10' } },
  AMEND_NOT_A_REDUCTION: { market: { matchingRules: 1 } },
  PRICE_TICK: { open: { tickCents: 5 }, change: { limit_price: '10.01' } },
  PRICE_BAND: { change: { limit_price: '11.50' } },
  ICEBERG_PEAKS: { open: { displayQuantity: 3 }, change: { qty: '303' } },
  INSUFFICIENT_SHARES: { open: { side: 'sell', holdCents: 0, holdShares: 10 } },
};

const order: PlaceOrder = {
  symbol: 'ACME',
  side: 'buy',
  type: 'limit',
  qty: '15',
  limit_price: '10.00',
  time_in_force: 'day',
};

function manyOrders(): [string, OpenOrder][] {
  const [open] = accountWith(cash, placed()).orders.values();
  if (!open) throw new Error('the order is open');
  return Array.from({ length: OPEN_ORDERS_MAX }, (_, n) => [at(10 + n), open]);
}

function together(one: Fault, other: Fault): Fault {
  const rules = { ...one.market?.rules, ...other.market?.rules };
  return {
    order: { ...one.order, ...other.order },
    open: { ...one.open, ...other.open },
    change: { ...one.change, ...other.change },
    account: { ...one.account, ...other.account },
    market: one.market === null || other.market === null ? null : { ...one.market, ...other.market, rules },
  };
}

const applying = <Question>(ladder: Ladder<Question>, question: Question): string[] =>
  ladder.flatMap(([code, guard]) => (guard(question) === undefined ? [] : [code]));

/** What applies to the new order, and what is told. */
function placing(fault: Fault) {
  const account = Object.assign(accountWith(cash, placed({ clientOrderId: 'mine' })), fault.account);
  const where = fault.market === null ? undefined : market(fault.market);
  const asked = { ...order, ...fault.order };
  const request = { orderId: at(900), accountId: at(1), nowMs: Date.parse(T0), order: asked, market: where };
  const { data } = placeOrder(account, request);
  return {
    applies: applying(NEW_ORDER_LADDER, oneNewOrder(account, request, where && price(where, asked))),
    answer: 'code' in data ? data.code : undefined,
  };
}

/** What applies to the change of an open order, and what is told. */
function changing(fault: Fault) {
  const account = Object.assign(accountWith(cash, placed()), fault.account);
  const [open] = account.orders.values();
  if (!open) throw new Error('the order is open');
  Object.assign(open, fault.open);
  const where = market(fault.market ?? {});
  const change = { qty: '20', ...fault.change };
  const { data } = amendOrder(account, { orderId: at(5), accountId: at(1), change, marketOf: () => where });
  return {
    applies: applying(CHANGE_LADDER, changeOf(account, where, open, change)),
    answer: 'code' in data ? data.code : undefined,
  };
}

test.for([
  {
    what: 'new order',
    ladder: NEW_ORDER_LADDER.map(([code]) => code),
    faults: ORDER_FAULTS,
    decide: placing,
  },
  { what: 'change', ladder: CHANGE_LADDER.map(([code]) => code), faults: CHANGE_FAULTS, decide: changing },
])('of two refusals that apply to a $what, the documented order decides', ({ ladder, faults, decide }) => {
  expect(ladder, 'the lines stand in the order of refusals.ts').toEqual(byPrecedence(ladder));
  expect(decide({})).toEqual({ applies: [], answer: undefined });
  expect(byPrecedence(Object.keys(faults)), 'each line has its fault').toEqual(byPrecedence(ladder));
  const alone = ladder.map((code) => [code, decide(faults[code] ?? {}).answer]);
  expect(alone).toEqual(ladder.map((code) => [code, code]));
  const overruled = new Set<string>();
  for (const [line, upper] of ladder.entries()) {
    for (const lower of ladder.slice(line + 1)) {
      const { applies, answer } = decide(together(faults[upper] ?? {}, faults[lower] ?? {}));
      expect(answer, `${upper} and ${lower}`).toBe(byPrecedence(applies)[0]);
      if (applies.includes(upper) && applies.includes(lower)) overruled.add(lower);
    }
  }
  expect([...overruled].toSorted(), 'every line but the first was overruled by one above').toEqual(
    ladder.slice(1).toSorted(),
  );
});

test('the document lists the refusals of an order in the order in which they are checked', () => {
  const text = readFileSync(new URL('../../../docs/orders.md', import.meta.url), 'utf8');
  const section = text.split('## Why orders are refused')[1]?.split('\n## ')[0] ?? '';
  const codes = [...section.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code = '']) => code);
  expect(codes.length).toBeGreaterThan(20);
  expect(codes).toEqual(byPrecedence(codes));
});
