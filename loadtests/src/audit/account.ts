import { type AuditedFill, fillFrom } from './fill.ts';
import type { Findings } from './findings.ts';
import { type AuditedList, type AuditedOrder, feeOf, leavesOf, stillNeeded } from './order.ts';
import { isLeg, listNeeds, sellersOf, siblingsOf } from './orderList.ts';
import type { RawEvent, RawEventOf } from './rawEvent.ts';

/** An account as its events make it, computed independently of the services. Cash and shares include what is held. */
export type AuditedAccount = {
  id: string;
  cashCents: number;
  heldCents: number;
  holdings: Map<string, { shares: number; held: number }>;
  /** The amounts in cents of the deposits that are not decided yet, by id. */
  deposits: Map<string, number>;
  /** Whether its kill switch is active. */
  killed: boolean;
  orders: AuditedOrder[];
  fills: AuditedFill[];
  /** The other sides of its bookings. Together with the account they sum to zero. */
  elsewhere: Elsewhere;
  /** The number of events that moved cash or shares between books, which is the number of entries in the ledger. */
  entries: number;
  lastEntryId: string | null;
};

/** Clearing, fees and the outside world, as far as this account's events move them. */
export type Elsewhere = {
  clearingCents: number;
  feesCents: number;
  outsideCents: number;
  clearingShares: Map<string, number>;
  outsideShares: Map<string, number>;
};

export const emptyAccount = (id: string): AuditedAccount => ({
  id,
  cashCents: 0,
  heldCents: 0,
  holdings: new Map(),
  deposits: new Map(),
  killed: false,
  orders: [],
  fills: [],
  elsewhere: emptyElsewhere(),
  entries: 0,
  lastEntryId: null,
});

/** Counts an event that moves cash or shares between books. */
function booked(account: AuditedAccount, event: RawEvent): void {
  account.entries += 1;
  account.lastEntryId = event.id;
}

/** Counts an event if the amount of cash or shares that it moves is not zero. */
export function bookedWhere(account: AuditedAccount, event: RawEvent, cents: number, shares: number): void {
  if (cents !== 0 || shares !== 0) booked(account, event);
}

const emptyElsewhere = (): Elsewhere => ({
  clearingCents: 0,
  feesCents: 0,
  outsideCents: 0,
  clearingShares: new Map(),
  outsideShares: new Map(),
});

export function holdingOf(account: AuditedAccount, symbol: string): { shares: number; held: number } {
  let holding = account.holdings.get(symbol);
  if (!holding) {
    holding = { shares: 0, held: 0 };
    account.holdings.set(symbol, holding);
  }
  return holding;
}

export const add = (sums: Map<string, number>, key: string, amount: number): void =>
  void sums.set(key, (sums.get(key) ?? 0) + amount);

/** Books the hold of a new order, and checks that it covers the order's worst case. */
export function hold(account: AuditedAccount, order: AuditedOrder, findings: Findings): void {
  const holding = holdingOf(account, order.symbol);
  account.heldCents += order.holdCents;
  holding.held += order.holdShares;
  const value = order.notionalCents ?? order.limitTicks * order.tickCents * order.quantity;
  const neededCents = order.side === 'buy' ? value + feeOf(order, value) : 0;
  findings.expect(
    order.holdCents >= neededCents && (order.side === 'buy' || order.holdCents === 0),
    'money',
    () => `order ${order.id} holds ${order.holdCents} cents, its worst case is ${neededCents}`,
  );
  findings.expect(
    order.holdShares === (order.side === 'sell' ? order.quantity : 0),
    'money',
    () => `order ${order.id} holds ${order.holdShares} shares for ${order.quantity}`,
  );
}

type Filled = RawEventOf<'OrderFilled.v1'>;

/** Books one side of a trade, and checks every figure of the event. */
export function fill(account: AuditedAccount, order: AuditedOrder, event: Filled, findings: Findings): void {
  const { data } = event;
  const { elsewhere } = account;
  const valueCents = data.priceTicks * data.tickCents * data.quantity;
  const feesCents = feeOf(order, order.filledValueCents + valueCents);
  const feeCents = feesCents - order.feesCents;
  findings.expect(
    data.valueCents === valueCents,
    'money',
    () =>
      `order ${order.id}: fill ${data.tradeId} is worth ${valueCents} cents, booked are ${data.valueCents}`,
  );
  findings.expect(
    data.feeCents === feeCents && data.feesCents === feesCents,
    'money',
    () =>
      `order ${order.id}: fill ${data.tradeId} costs ${feeCents} (in all ${feesCents}), booked are ${data.feeCents} (${data.feesCents})`,
  );
  order.filled += data.quantity;
  order.filledValueCents += data.valueCents;
  order.feesCents += data.feeCents;
  order.wanted = data.leavesQuantity;
  const { notionalCents } = order;
  const isWithinOrder =
    notionalCents === null ? order.filled <= order.quantity : order.filledValueCents <= notionalCents;
  findings.expect(
    isWithinOrder &&
      data.filledQuantity === order.filled &&
      data.filledValueCents === order.filledValueCents &&
      data.leavesQuantity === leavesOf(order) &&
      data.closes === (data.leavesQuantity === 0),
    'mismatch',
    () => `order ${order.id}: the totals of fill ${data.tradeId} do not add up`,
  );
  const holding = holdingOf(account, order.symbol);
  if (order.side === 'buy') {
    account.cashCents -= data.valueCents + data.feeCents;
    elsewhere.clearingCents += data.valueCents;
    holding.shares += data.quantity;
    holdBought(account, order, data, findings);
    add(elsewhere.clearingShares, order.symbol, -data.quantity);
    lower(account, order, data.valueCents + data.feeCents + data.releasedCents, data.releasedShares);
  } else {
    account.cashCents += data.valueCents - data.feeCents;
    elsewhere.clearingCents -= data.valueCents;
    holding.shares -= data.quantity;
    add(elsewhere.clearingShares, order.symbol, data.quantity);
    lower(account, order, data.releasedCents, data.quantity + data.releasedShares);
  }
  elsewhere.feesCents += data.feeCents;
  lessenSibling(order, data, findings);
  account.fills.push(fillFrom(data));
  booked(account, event);
  if (data.closes) order.end = 'filled';
  heldEnough(order, findings);
}

/** What holds cash and shares for an order: its list, or the order itself if it stands alone or is a bracket's entry. */
export const holderOf = (order: AuditedOrder): { holdCents: number; holdShares: number } =>
  order.list && isLeg(order) ? order.list : order;

/** Takes cents and shares off the hold of an order; negative amounts add to it. */
export function lower(account: AuditedAccount, order: AuditedOrder, cents: number, shares: number): void {
  const holder = holderOf(order);
  holder.holdCents -= cents;
  holder.holdShares -= shares;
  account.heldCents -= cents;
  holdingOf(account, order.symbol).held -= shares;
}

/** Checks that an ended order holds nothing, and an open one at least what its rest may cost. */
export function heldEnough(order: AuditedOrder, findings: Findings): void {
  if (order.list && isLeg(order)) return listHeldEnough(order.list, findings);
  if (order.end) {
    findings.expect(
      order.holdCents === 0 && order.holdShares === 0,
      'money',
      () =>
        `order ${order.id} has ended and still holds ${order.holdCents} cents, ${order.holdShares} shares`,
    );
    return;
  }
  const { cents, shares } = stillNeeded(order);
  findings.expect(
    order.holdCents >= cents && order.holdShares >= shares,
    'money',
    () => `order ${order.id} holds too little for its ${leavesOf(order)} open shares`,
  );
}

/** Checks that a list holds at least what its open orders may cost together, and nothing once all have ended. */
function listHeldEnough(list: AuditedList, findings: Findings): void {
  const { id, orders, holdCents, holdShares } = list;
  const { cents, shares } = listNeeds(list);
  findings.expect(
    holdCents >= cents && holdShares >= shares,
    'money',
    () => `list ${id} holds ${holdCents} cents and ${holdShares} shares, it may need ${cents} and ${shares}`,
  );
  findings.expect(
    orders.some(({ end }) => end === null) || (holdCents === 0 && holdShares === 0),
    'money',
    () => `list ${id} has ended and still holds ${holdCents} cents, ${holdShares} shares`,
  );
}

/** Books the hold of a new list, and checks that it covers the list's worst case. */
export function holdList(
  account: AuditedAccount,
  list: AuditedList,
  { symbol, quantity, side }: { symbol: string; quantity: number; side: string },
  findings: Findings,
): void {
  account.heldCents += list.holdCents;
  holdingOf(account, symbol).held += list.holdShares;
  listHeldEnough(list, findings);
  findings.expect(
    list.holdShares === (side === 'sell' ? quantity : 0) && (side === 'buy' || list.holdCents === 0),
    'money',
    () => `list ${list.id} holds ${list.holdShares} shares and ${list.holdCents} cents for ${quantity}`,
  );
}

/** Holds the shares that a bracket's entry buys for the orders that will sell them, if any of those is open. */
function holdBought(
  account: AuditedAccount,
  order: AuditedOrder,
  data: Filled['data'],
  findings: Findings,
): void {
  const expectedShares = sellersOf(order).length > 0 ? data.quantity : 0;
  const { heldShares = 0 } = data;
  findings.expect(
    heldShares === expectedShares,
    'money',
    () =>
      `order ${order.id}: fill ${data.tradeId} holds ${heldShares} shares for its bracket, not ${expectedShares}`,
  );
  if (!order.list || heldShares === 0) return;
  order.list.bought += heldShares;
  order.list.holdShares += heldShares;
  holdingOf(account, order.symbol).held += heldShares;
}

/** Takes a fill's quantity off the other order of its list, and checks what the event says of that order. */
function lessenSibling(order: AuditedOrder, data: Filled['data'], findings: Findings): void {
  const [other] = siblingsOf(order);
  const sibling = data.sibling;
  const lessShares = other ? Math.min(data.quantity, leavesOf(other)) : 0;
  if (other) other.quantity -= lessShares;
  findings.expect(
    sibling?.orderId === other?.id &&
      (!other || (sibling?.quantity === other.quantity && sibling.leavesQuantity === leavesOf(other))),
    'mismatch',
    () => `order ${order.id}: fill ${data.tradeId} leaves its sibling ${other?.id} otherwise`,
  );
}

/** Checks that nothing is below zero, and that the account does not hold more than it has. */
export function solvent(account: AuditedAccount, symbol: string | undefined, findings: Findings): void {
  findings.expect(
    account.heldCents >= 0 && account.cashCents >= account.heldCents,
    'money',
    () => `account ${account.id} has ${account.cashCents} cents and holds ${account.heldCents}`,
  );
  if (symbol === undefined) return;
  const { shares, held } = holdingOf(account, symbol);
  findings.expect(
    held >= 0 && shares >= held,
    'money',
    () => `account ${account.id} has ${shares} ${symbol} and holds ${held}`,
  );
}
