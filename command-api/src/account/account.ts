import assert from 'node:assert/strict';
import { type AccountEvent, type EventOf, placedOrders } from '@brokerx/contracts';
import { emptyKeyLog, type KeyLog } from '../idempotencyKeys.ts';
import { giveName, keepKey, type Names, takeName } from './clientOrderIds.ts';
import { type Killed, killedBy } from './killed.ts';
import { buyFor, type OpenList } from './openList.ts';
import { evolveOrder, type Hold, type OpenOrder } from './openOrder.ts';
import { countIn, initialRates, type Rates } from './rates.ts';

/**
 * The state that decisions about an account need, folded from the events of `account-<id>`. `evolve` changes the state in
 * place, because an account may keep 10,000 keys: too many to copy for each order. Cash and holdings include what is
 * held, and the held amount is exactly the sum over open orders. An event that does not fit is a bug: `evolve` throws.
 */
export type Account = {
  status: 'none' | 'open';
  accountId: string;
  clientId: string;
  cashCents: number;
  heldCents: number;
  holdings: Map<string, Holding>;
  orders: Map<string, OpenOrder>;
  /** Lists that have open orders, by their ids. */
  lists: Map<string, OpenList>;
  /** Ids of the orders closed last, oldest first: they tell a closed order from one that never existed. */
  closed: Set<string>;
  names: Names;
  /** Cents by deposit id. */
  depositsPending: Map<string, number>;
  depositsPendingCents: number;
  bandsOff: boolean;
  quotasOff: boolean;
  rates: Rates;
  /** Who activated the kill switch, and why; null: the switch is not active. */
  killed: Killed | null;
  /** When all open orders are canceled, unless the client renews the deadline before; null: never. */
  deadlineAt: string | null;
  keys: KeyLog;
};

/** Shares, what is held included. */
export type Holding = { shares: number; held: number };

/** Enough to answer a late cancel or amend with "not open any more" (36 KB). */
const CLOSED_ORDERS_KEPT = 1_000;

export const initialAccount = (): Account => ({
  status: 'none',
  accountId: '',
  clientId: '',
  cashCents: 0,
  heldCents: 0,
  holdings: new Map(),
  orders: new Map(),
  lists: new Map(),
  closed: new Set(),
  names: new Map(),
  depositsPending: new Map(),
  depositsPendingCents: 0,
  bandsOff: false,
  quotasOff: false,
  rates: initialRates(),
  killed: null,
  deadlineAt: null,
  keys: emptyKeyLog(),
});

export const availableCents = (account: Account): number => account.cashCents - account.heldCents;
export function availableShares(account: Account, symbol: string): number {
  const holding = account.holdings.get(symbol);
  return holding ? holding.shares - holding.held : 0;
}

export function evolve(account: Account, event: AccountEvent, revision: number): void {
  change(account, event, revision);
  if (event.key) keepKey(account, event, event.key, revision);
  if (account.heldCents < 0 || account.cashCents < account.heldCents) {
    assert.fail(`${account.accountId}: ${account.heldCents} held of ${account.cashCents} cents`);
  }
}

function change(account: Account, event: AccountEvent, revision: number): void {
  switch (event.type) {
    case 'AccountOpened.v1':
      assert.equal(account.status, 'none', 'an account is opened once');
      account.status = 'open';
      account.accountId = event.data.accountId;
      account.clientId = event.data.clientId;
      return;
    case 'DepositRequested.v1':
      assert(!account.depositsPending.has(event.data.depositId));
      account.depositsPending.set(event.data.depositId, event.data.amountCents);
      account.depositsPendingCents += event.data.amountCents;
      return;
    case 'DepositSettled.v1':
      endDeposit(account, event.data);
      account.cashCents += event.data.amountCents;
      return;
    case 'DepositRejected.v1':
      endDeposit(account, event.data);
      return;
    case 'CashTransferredIn.v1':
      account.cashCents += event.data.amountCents;
      return;
    case 'SharesTransferredIn.v1':
      moveShares(account, event.data.symbol, event.data.quantity, 0);
      return;
    case 'AccountExemptionsChanged.v1':
      account.bandsOff = event.data.bandsOff;
      account.quotasOff = event.data.quotasOff;
      return;
    case 'KillSwitchActivated.v1':
    case 'KillSwitchReleased.v1':
      account.killed = killedBy(event);
      return;
    case 'DeadManSet.v1':
      account.deadlineAt = event.data.deadlineAt;
      return;
    case 'DeadManFired.v1':
      account.deadlineAt = null;
      return;
    case 'OrderPlaced.v1':
      placed(account, { ...event.data, ...ALONE }, revision);
      hold(account, event.data, event.data.holdCents, event.data.holdShares);
      countIn(account.rates, event.time, 'unfilled');
      return;
    case 'OrderListPlaced.v1':
      listPlaced(account, event, revision);
      return;
    case 'OrderRefused.v1':
      countIn(account.rates, event.time, 'refusedOrders');
      return;
    case 'CommandRefused.v1':
      countIn(account.rates, event.time, 'refusedOthers');
      return;
    case 'OrdersCancelRequested.v1':
      return;
    case 'OrderCancelRequested.v1':
      evolveOrder(openOrder(account, event.data.orderId), event);
      return;
    case 'OrderAmendRequested.v1': {
      const order = openOrder(account, event.data.orderId);
      evolveOrder(order, event, holder(account, order));
      hold(account, order, event.data.holdCents ?? 0, event.data.holdShares ?? 0);
      return;
    }
    case 'OrderAmendRejected.v1': {
      const order = openOrder(account, event.data.orderId);
      evolveOrder(order, event, holder(account, order));
      hold(account, order, -(event.data.releasedCents ?? 0), -(event.data.releasedShares ?? 0));
      return;
    }
    case 'OrderFilled.v1':
      filled(account, event);
      return;
    case 'OrderArmed.v1':
      evolveOrder(openOrder(account, event.data.orderId), event);
      return;
    case 'OrderAmended.v1':
    case 'OrderDecremented.v1':
    case 'OrderClosed.v1': {
      const order = openOrder(account, event.data.orderId);
      evolveOrder(order, event, holder(account, order));
      hold(account, order, -event.data.releasedCents, -event.data.releasedShares);
      const ends = event.type === 'OrderClosed.v1' || (event.type === 'OrderAmended.v1' && event.data.closes);
      if (ends) close(account, order);
      return;
    }
    default:
      throw new Error('not an event of an account', { cause: event satisfies never });
  }
}

function placed(
  account: Account,
  data: EventOf<'OrderPlaced.v1'>['data'] & Pick<OpenOrder, 'listId' | 'bracketId' | 'dormant'>,
  revision: number,
): void {
  assert(!account.orders.has(data.orderId), 'an order is placed once');
  account.orders.set(data.orderId, {
    orderId: data.orderId,
    clientOrderId: data.clientOrderId,
    listId: data.listId,
    bracketId: data.bracketId,
    dormant: data.dormant,
    symbol: data.symbol,
    side: data.side,
    type: data.type,
    timeInForce: data.timeInForce,
    limitTicks: data.limitTicks,
    tickCents: data.tickCents,
    quantity: data.quantity,
    filledQuantity: 0,
    preventedQuantity: 0,
    filledValueCents: 0,
    feesCents: 0,
    feePpm: data.feePpm,
    stopTicks: data.stopTicks ?? null,
    notionalCents: data.notionalCents ?? null,
    displayQuantity: data.displayQuantity ?? null,
    holdCents: data.holdCents,
    holdShares: data.holdShares,
    placedRevision: revision,
    lastSequence: -1,
    cancelPending: false,
    amendments: 0,
    amendPending: null,
  });
  if (data.clientOrderId !== null) takeName(account.names, data.clientOrderId);
}

const ALONE = { listId: null, bracketId: null, dormant: false } as const;

function listPlaced(account: Account, event: EventOf<'OrderListPlaced.v1'>, revision: number): void {
  const { listId, kind, symbol, orders, holdCents, holdShares } = event.data;
  assert(!account.lists.has(listId), 'a list is placed once');
  const isBracket = kind === 'bracket';
  const legs = orders.filter(({ role }) => role !== 'entry');
  const side = legs[0]?.side ?? 'buy';
  const orderIds = legs.map(({ orderId }) => orderId);
  // In a bracket the entry holds, not the list.
  const held = isBracket ? { holdCents: 0, holdShares: 0 } : { holdCents, holdShares };
  account.lists.set(listId, { listId, kind, symbol, side, orderIds, ...held, bought: 0 });
  for (const order of placedOrders(event.data)) {
    const membership =
      order.role === 'entry'
        ? { listId: null, bracketId: listId, dormant: false }
        : { listId, bracketId: null, dormant: isBracket };
    placed(account, { ...order, ...membership }, revision);
  }
  hold(account, { side, symbol }, holdCents, holdShares);
  countIn(account.rates, event.time, 'unfilled', orders.length);
}

function filled(account: Account, event: EventOf<'OrderFilled.v1'>): void {
  const { data } = event;
  const order = openOrder(account, data.orderId);
  const first = order.filledQuantity === 0;
  evolveOrder(order, event, holder(account, order));
  if (data.sibling) openOrder(account, data.sibling.orderId).quantity = data.sibling.quantity;
  if (order.side === 'buy') {
    account.cashCents -= data.valueCents + data.feeCents;
    account.heldCents -= data.valueCents + data.feeCents + data.releasedCents;
    const heldShares = data.heldShares ?? 0;
    const bracket = order.bracketId === null ? undefined : account.lists.get(order.bracketId);
    assert(heldShares === 0 || bracket, 'shares are held for a bracket that is there');
    if (bracket) buyFor(bracket, heldShares);
    moveShares(account, order.symbol, data.quantity, heldShares);
  } else {
    account.cashCents += data.valueCents - data.feeCents;
    moveShares(account, order.symbol, -data.quantity, -(data.quantity + data.releasedShares));
  }
  if (first) account.rates.unfilled = Math.max(0, account.rates.unfilled - 1);
  if (data.closes) close(account, order);
}

function close(account: Account, order: OpenOrder): void {
  assert(order.holdCents === 0 && order.holdShares === 0, 'a closed order holds nothing');
  account.orders.delete(order.orderId);
  leaveList(account, order);
  account.closed.add(order.orderId);
  if (account.closed.size > CLOSED_ORDERS_KEPT) {
    for (const oldest of account.closed.values().take(1)) account.closed.delete(oldest);
  }
  if (order.clientOrderId !== null) giveName(account.names, order.clientOrderId);
}

/** The hold that covers an order: its list's, or the order's own if it stands alone. */
const holder = (account: Account, order: OpenOrder): Hold =>
  order.listId === null ? order : (account.lists.get(order.listId) ?? order);

function leaveList({ lists }: Account, { listId, orderId }: OpenOrder): void {
  const list = listId === null ? undefined : lists.get(listId);
  if (!list) return;
  list.orderIds = list.orderIds.filter((id) => id !== orderId);
  if (list.orderIds.length > 0) return;
  assert(list.holdCents === 0 && list.holdShares === 0, 'a list without orders holds nothing');
  lists.delete(list.listId);
}

/** Raises the account's holds, or lowers them by negative amounts. */
function hold(
  account: Account,
  { side, symbol }: { side: 'buy' | 'sell'; symbol: string },
  heldCents: number,
  heldShares: number,
): void {
  account.heldCents += heldCents;
  if (side === 'sell' && heldShares !== 0) moveShares(account, symbol, 0, heldShares);
}

function openOrder(account: Account, orderId: string): OpenOrder {
  const order = account.orders.get(orderId);
  if (!order) assert.fail(`${orderId} is not open on ${account.accountId}`);
  return order;
}

function endDeposit(
  account: Account,
  { depositId, amountCents }: { depositId: string; amountCents: number },
) {
  assert.equal(account.depositsPending.get(depositId), amountCents, 'a deposit ends once, as it began');
  account.depositsPending.delete(depositId);
  account.depositsPendingCents -= amountCents;
}

function moveShares(account: Account, symbol: string, shares: number, held: number): void {
  const holding = account.holdings.get(symbol) ?? { shares: 0, held: 0 };
  holding.shares += shares;
  holding.held += held;
  if (holding.held < 0 || holding.shares < holding.held) {
    assert.fail(`${account.accountId}: ${holding.held} held of ${holding.shares} ${symbol}`);
  }
  if (holding.shares === 0) account.holdings.delete(symbol);
  else account.holdings.set(symbol, holding);
}

/** Asserts that the parts of an account agree. It walks all orders, so only tests and audits call it. */
export function checkAccount(account: Account): void {
  const held = new Map<string, number>();
  let heldCents = 0;
  for (const order of [...account.orders.values(), ...account.lists.values()]) {
    heldCents += order.holdCents;
    if (order.side === 'sell') held.set(order.symbol, (held.get(order.symbol) ?? 0) + order.holdShares);
  }
  assert.equal(account.heldCents, heldCents, 'held cash is the sum over open orders');
  for (const [symbol, holding] of account.holdings) {
    assert.equal(holding.held, held.get(symbol) ?? 0, `held ${symbol} is the sum over open orders`);
  }
  let pending = 0;
  for (const amount of account.depositsPending.values()) pending += amount;
  assert.equal(account.depositsPendingCents, pending);
  assert(account.cashCents >= account.heldCents && account.heldCents >= 0);
}
