import { type AuditedFill, fillFrom } from './fill.ts';
import type { Findings } from './findings.ts';
import { type AuditedList, type AuditedOrder, feeOf, leavesOf, stillNeeded } from './order.ts';
import { isLeg, listNeeds, sellersOf, siblingsOf } from './orderList.ts';
import type { RawEvent } from './rawEvent.ts';

/** One account, folded with arithmetic of its own. Cash includes what is held, shares too. */
export type AuditedAccount = {
  id: string;
  cashCents: number;
  heldCents: number;
  holdings: Map<string, { shares: number; held: number }>;
  /** Deposits that are not decided yet, amount by id. */
  deposits: Map<string, number>;
  /** Its kill switch is active. */
  killed: boolean;
  orders: AuditedOrder[];
  fills: AuditedFill[];
  /** The other sides of its bookings: with it they sum to zero. */
  elsewhere: Elsewhere;
  /** Events that moved cash or shares between books, and the last one of them. */
  entries: number;
  lastEntryId: string | null;
};

/** The books beside those of the account itself, as its own events move them. */
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

/** Counts an event that moved something. */
function booked(account: AuditedAccount, event: RawEvent): void {
  account.entries += 1;
  account.lastEntryId = event.id;
}

/** The same for an event that moves only what it releases or holds. */
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

/** The hold of a new order covers its worst case, and the account can bear it. */
export function hold(account: AuditedAccount, order: AuditedOrder, found: Findings): void {
  const holding = holdingOf(account, order.symbol);
  account.heldCents += order.holdCents;
  holding.held += order.holdShares;
  const value = order.notionalCents ?? order.limitTicks * order.tickCents * order.quantity;
  const needed = order.side === 'buy' ? value + feeOf(order, value) : 0;
  found.expect(
    order.holdCents >= needed && (order.side === 'buy' || order.holdCents === 0),
    'money',
    () => `order ${order.id} holds ${order.holdCents} cents, its worst case is ${needed}`,
  );
  found.expect(
    order.holdShares === (order.side === 'sell' ? order.quantity : 0),
    'money',
    () => `order ${order.id} holds ${order.holdShares} shares for ${order.quantity}`,
  );
}

type Filled = Extract<RawEvent, { type: 'OrderFilled.v1' }>;

/** Books one leg of a trade; every figure of the event is worked out again. */
export function fill(account: AuditedAccount, order: AuditedOrder, event: Filled, found: Findings): void {
  const { data } = event;
  const { elsewhere } = account;
  const value = data.priceTicks * data.tickCents * data.quantity;
  const cumulative = order.filledValueCents + value;
  const fees = feeOf(order, cumulative);
  const fee = fees - order.feesCents;
  found.expect(
    data.valueCents === value,
    'money',
    () => `order ${order.id}: fill ${data.tradeId} is worth ${value} cents, booked are ${data.valueCents}`,
  );
  found.expect(
    data.feeCents === fee && data.feesCents === fees,
    'money',
    () =>
      `order ${order.id}: fill ${data.tradeId} costs ${fee} (in all ${fees}), booked are ${data.feeCents} (${data.feesCents})`,
  );
  order.filled += data.quantity;
  order.filledValueCents += data.valueCents;
  order.feesCents += data.feeCents;
  order.wanted = data.leavesQuantity;
  const { notionalCents } = order;
  const within =
    notionalCents === null ? order.filled <= order.quantity : order.filledValueCents <= notionalCents;
  found.expect(
    within &&
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
    holdBought(account, order, data, found);
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
  lessenSibling(order, data, found);
  account.fills.push(fillFrom(data));
  booked(account, event);
  if (data.closes) order.end = 'filled';
  heldEnough(order, found);
}

/** Who holds for an order: its list, but for the entry of a bracket. */
export const holderOf = (order: AuditedOrder): { holdCents: number; holdShares: number } =>
  order.list && isLeg(order) ? order.list : order;

/** Takes what an output released off the order's hold. */
export function lower(account: AuditedAccount, order: AuditedOrder, cents: number, shares: number): void {
  const holder = holderOf(order);
  holder.holdCents -= cents;
  holder.holdShares -= shares;
  account.heldCents -= cents;
  holdingOf(account, order.symbol).held -= shares;
}

/** An ended order holds nothing; an open one what the rest may still cost. */
export function heldEnough(order: AuditedOrder, found: Findings): void {
  if (order.list && isLeg(order)) return listHeldEnough(order.list, found);
  if (order.end) {
    found.expect(
      order.holdCents === 0 && order.holdShares === 0,
      'money',
      () =>
        `order ${order.id} has ended and still holds ${order.holdCents} cents, ${order.holdShares} shares`,
    );
    return;
  }
  const { cents, shares } = stillNeeded(order);
  found.expect(
    order.holdCents >= cents && order.holdShares >= shares,
    'money',
    () => `order ${order.id} holds too little for its ${leavesOf(order)} open shares`,
  );
}

/** A list holds what its open orders may still cost together, and nothing once all have ended. */
function listHeldEnough(list: AuditedList, found: Findings): void {
  const { id, orders, holdCents, holdShares } = list;
  const { cents, shares } = listNeeds(list);
  found.expect(
    holdCents >= cents && holdShares >= shares,
    'money',
    () => `list ${id} holds ${holdCents} cents and ${holdShares} shares, it may need ${cents} and ${shares}`,
  );
  found.expect(
    orders.some(({ end }) => end === null) || (holdCents === 0 && holdShares === 0),
    'money',
    () => `list ${id} has ended and still holds ${holdCents} cents, ${holdShares} shares`,
  );
}

/** The hold of a new list covers its worst case, and the account can bear it. */
export function holdList(
  account: AuditedAccount,
  list: AuditedList,
  { symbol, quantity, side }: { symbol: string; quantity: number; side: string },
  found: Findings,
): void {
  account.heldCents += list.holdCents;
  holdingOf(account, symbol).held += list.holdShares;
  listHeldEnough(list, found);
  found.expect(
    list.holdShares === (side === 'sell' ? quantity : 0) && (side === 'buy' || list.holdCents === 0),
    'money',
    () => `list ${list.id} holds ${list.holdShares} shares and ${list.holdCents} cents for ${quantity}`,
  );
}

/** What an entry buys is held at once for the orders that will sell it, as long as there are any. */
function holdBought(
  account: AuditedAccount,
  order: AuditedOrder,
  data: Filled['data'],
  found: Findings,
): void {
  const must = sellersOf(order).length > 0 ? data.quantity : 0;
  const { heldShares = 0 } = data;
  found.expect(
    heldShares === must,
    'money',
    () => `order ${order.id}: fill ${data.tradeId} holds ${heldShares} shares for its bracket, not ${must}`,
  );
  if (!order.list || heldShares === 0) return;
  order.list.bought += heldShares;
  order.list.holdShares += heldShares;
  holdingOf(account, order.symbol).held += heldShares;
}

/** What a fill takes off the other order of its list. */
function lessenSibling(order: AuditedOrder, data: Filled['data'], found: Findings): void {
  const [other] = siblingsOf(order);
  const told = data.sibling;
  const less = other ? Math.min(data.quantity, leavesOf(other)) : 0;
  if (other) other.quantity -= less;
  found.expect(
    told?.orderId === other?.id &&
      (!other || (told?.quantity === other.quantity && told.leavesQuantity === leavesOf(other))),
    'mismatch',
    () => `order ${order.id}: fill ${data.tradeId} leaves its sibling ${other?.id} otherwise`,
  );
}

/** Nothing is ever below zero, and nothing holds more than there is. */
export function solvent(account: AuditedAccount, symbol: string | undefined, found: Findings): void {
  found.expect(
    account.heldCents >= 0 && account.cashCents >= account.heldCents,
    'money',
    () => `account ${account.id} has ${account.cashCents} cents and holds ${account.heldCents}`,
  );
  if (symbol === undefined) return;
  const { shares, held } = holdingOf(account, symbol);
  found.expect(
    held >= 0 && shares >= held,
    'money',
    () => `account ${account.id} has ${shares} ${symbol} and holds ${held}`,
  );
}
