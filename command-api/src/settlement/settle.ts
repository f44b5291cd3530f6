import assert from 'node:assert/strict';
import {
  type AccountFact,
  type BookEvent,
  cents,
  feeCents,
  type OrderRef,
  tradeId,
} from '@brokerx/contracts';
import type { Account } from '../account/account.ts';
import { buyFor, listWorstCase, type OpenList } from '../account/openList.ts';
import {
  evolveOrder,
  type Hold,
  leavesOf,
  type OpenOrder,
  worstCaseCents,
  worstCaseShares,
} from '../account/openOrder.ts';

/**
 * Turns outputs of a book into facts of one account, exactly once even if outputs come again or late: an output for a
 * closed order, or at or below the last sequence applied to its order, gives no fact. Only these facts lower a hold.
 */
export type BookOutput = {
  event: BookEvent /** Revision in `book-<symbol>`. */;
  sequence: number;
  symbol: string;
};

/** The orders that an output changes, each with a revision from which on its account knows the order. */
export function ordersOf(event: BookEvent): readonly Readonly<OrderRef>[] {
  switch (event.type) {
    case 'TradeExecuted.v1':
      return [event.data.maker, event.data.taker];
    case 'TradePrevented.v1':
      // In the other modes an order ends, by an output of its own.
      return event.data.mode === 'decrement' ? [event.data.maker, event.data.taker] : [];
    case 'OrderRejected.v1':
    case 'OrderReplaced.v1':
    case 'OrderReplaceRejected.v1':
    case 'OrderCanceled.v1':
    case 'OrderExpired.v1':
    case 'OrderActivated.v1':
    case 'OrderCompleted.v1':
      return [event.data.order];
    // These change nothing in an account. A cancel is rejected only if the order has ended, by an earlier output.
    case 'OrderAccepted.v1':
    // The fill that reduced the order changes both orders of the list.
    case 'OrderReduced.v1':
    case 'OrderTriggered.v1':
    case 'OrderEntered.v1':
    case 'IndicativePriceChanged.v1':
    case 'AuctionExtended.v1':
    case 'AuctionUncrossed.v1':
    case 'TimeApplied.v1':
    case 'OrderCancelRejected.v1':
    case 'EngineStarted.v1':
    case 'MarketStateChanged.v1':
    case 'InputNoted.v1':
      return [];
    default:
      throw new Error('not an event of a book', { cause: event satisfies never });
  }
}

export type Settlement = { fact: AccountFact; output: BookOutput };

/** Makes the facts of this account from a run of outputs, in order; none for outputs that were settled before. */
export function settle(account: Account, outputs: readonly BookOutput[]): Settlement[] {
  // Orders and lists as they change within this run: the account itself changes when the facts are recorded.
  const touched = new Map<string, OpenOrder | 'closed'>();
  const lists = new Map<string, OpenList>();
  const orderOf = (id: string) => touched.get(id) ?? copyOf(account.orders.get(id));
  const listOf = (listId: string | null): OpenList | undefined => {
    const list = listId === null ? undefined : (lists.get(listId) ?? account.lists.get(listId));
    return list && { ...list };
  };
  const settlements: Settlement[] = [];
  for (const output of outputs) {
    for (const ref of ordersOf(output.event)) {
      if (ref.accountId !== account.accountId) continue;
      const order = orderOf(ref.orderId);
      if (order === 'closed' || output.sequence <= order.lastSequence) continue;
      const list = listOf(order.listId);
      const bracket = listOf(order.bracketId);
      const sells = bracket?.orderIds.some((id) => isOpen(orderOf(id))) ?? false;
      const others = (list?.orderIds ?? []).filter((id) => id !== ref.orderId).map(orderOf);
      const around: Around = {
        hold: list ?? order,
        others: list ? others.filter(isOpen) : null,
        bought: list?.bought ?? 0,
        sells,
      };
      const fact = factOf(order, output, around);
      evolveOrder(order, fact, around.hold);
      touched.set(ref.orderId, closes(fact) ? 'closed' : order);
      const sibling = fact.type === 'OrderFilled.v1' ? fact.data.sibling : undefined;
      const lessened = sibling && around.others?.find(({ orderId }) => orderId === sibling.orderId);
      if (lessened) touched.set(sibling.orderId, { ...lessened, quantity: sibling.quantity });
      if (list) lists.set(list.listId, list);
      if (bracket && fact.type === 'OrderFilled.v1' && fact.data.heldShares) {
        buyFor(bracket, fact.data.heldShares);
        lists.set(bracket.listId, bracket);
      }
      settlements.push({ fact, output });
    }
  }
  return settlements;
}

/** The hold that covers an order, and the other open orders of its list; null: the order has no list. */
type Around = {
  hold: Hold;
  others: readonly OpenOrder[] | null;
  /** Shares that the entry of its bracket has bought. */
  bought: number;
  /** The order is an entry, and other orders will sell what it buys. */
  sells: boolean;
};

/** The hold that is needed after a change of the order; null: the order ends. */
function needs({ others, bought }: Pick<Around, 'others' | 'bought'>, after: OpenOrder | null): Hold {
  if (others) return listWorstCase(after ? [after, ...others] : others, bought);
  return {
    holdCents: after?.side === 'buy' ? worstCaseCents(after) : 0,
    holdShares: after?.side === 'sell' ? worstCaseShares(after) : 0,
  };
}

const copyOf = (order: OpenOrder | undefined) => (order ? { ...order } : 'closed');
const isOpen = (order: OpenOrder | 'closed'): order is OpenOrder => order !== 'closed';
const closes = (fact: SettledFact) =>
  fact.type === 'OrderClosed.v1' || ('closes' in fact.data && fact.data.closes);

type SettledFact = Extract<
  AccountFact,
  {
    type:
      | 'OrderFilled.v1'
      | 'OrderAmended.v1'
      | 'OrderAmendRejected.v1'
      | 'OrderDecremented.v1'
      | 'OrderArmed.v1'
      | 'OrderClosed.v1';
  }
>;

function factOf(order: OpenOrder, output: BookOutput, around: Around): SettledFact {
  const { event, sequence } = output;
  const { orderId, symbol, side } = order;
  assert.equal(symbol, output.symbol);
  switch (event.type) {
    case 'TradeExecuted.v1':
      return filled(order, output, event, around);
    case 'OrderReplaced.v1': {
      const { amendment, quantity, leaves, entry } = event.data;
      assert.equal(leavesOf(order, quantity), leaves, 'book and account agree on what was filled');
      const limitTicks = event.data.limitTicks ?? entry?.priceTicks ?? order.limitTicks;
      const place = { orderId, symbol, side, sequence };
      const released = releasedBy(around, { ...order, quantity, limitTicks, amendPending: null });
      const price = limitTicks === order.limitTicks ? {} : { limitTicks, tickCents: order.tickCents };
      return {
        type: 'OrderAmended.v1',
        data: {
          ...place,
          ...released,
          amendment,
          quantity,
          leavesQuantity: leaves,
          closes: leaves === 0,
          ...(order.preventedQuantity > 0 ? { preventedQuantity: order.preventedQuantity } : {}),
          ...price,
        },
      };
    }
    case 'OrderReplaceRejected.v1': {
      const { amendment, code } = event.data;
      const { releasedCents, releasedShares } = releasedBy(around, { ...order, amendPending: null });
      return {
        type: 'OrderAmendRejected.v1',
        data: {
          orderId,
          symbol,
          sequence,
          amendment,
          code,
          ...(releasedCents > 0 ? { releasedCents } : {}),
          ...(releasedShares > 0 ? { releasedShares } : {}),
        },
      };
    }
    case 'TradePrevented.v1': {
      const { quantity, maker } = event.data;
      const preventedQuantity = order.preventedQuantity + quantity;
      const after = { ...order, preventedQuantity };
      const leavesQuantity = leavesOf(after, order.quantity);
      const leg = maker.orderId === orderId ? maker : event.data.taker;
      assert.equal(leavesQuantity, leg.leaves, 'book and account agree on what is left');
      const place = { orderId, symbol, side, sequence, ...releasedBy(around, after) };
      return {
        type: 'OrderDecremented.v1',
        data: { ...place, quantity, preventedQuantity, leavesQuantity },
      };
    }
    case 'OrderActivated.v1':
      assert.equal(event.data.quantity, around.bought, 'a bracket sells what it has bought');
      return {
        type: 'OrderArmed.v1',
        data: { orderId, symbol, side, sequence, quantity: event.data.quantity },
      };
    case 'OrderCanceled.v1':
      return closed(order, around, sequence, 'canceled', null);
    case 'OrderExpired.v1':
      return closed(order, around, sequence, 'expired', event.data.reason);
    case 'OrderCompleted.v1':
      return closed(order, around, sequence, 'filled', null);
    case 'OrderRejected.v1':
      return closed(order, around, sequence, 'rejected', event.data.code);
    default:
      throw new Error(`${event.type} settles nothing`);
  }
}

/** The part of a hold that is needed no more after a change without a trade; null: the order ends. */
function releasedBy(around: Around, after: OpenOrder | null) {
  const { holdCents, holdShares } = needs(around, after);
  const releasedCents = around.hold.holdCents - holdCents;
  const releasedShares = around.hold.holdShares - holdShares;
  assert(releasedCents >= 0 && releasedShares >= 0, 'nothing that the book does needs more than is held');
  return { releasedCents, releasedShares };
}

type Trade = Extract<BookEvent, { type: 'TradeExecuted.v1' }>;

function filled(
  order: OpenOrder,
  { sequence }: BookOutput,
  { data, time }: Trade,
  { hold, others, bought, sells }: Around,
): SettledFact {
  const leg = data.maker.orderId === order.orderId ? 'maker' : 'taker';
  const liquidity = data.auction ? 'auction' : leg;
  const { priceTicks, tickCents, quantity } = data;
  const leavesQuantity = data[leg].leaves;
  const valueCents = priceTicks * tickCents * quantity;
  const filledQuantity = order.filledQuantity + quantity;
  const filledValueCents = order.filledValueCents + valueCents;
  const feesCents = feeCents(cents(filledValueCents), order.feePpm);
  const fee = feesCents - order.feesCents;
  assert.equal(tickCents, order.tickCents);
  // The last fill ends the order: a change that is not answered yet will find it closed.
  const amendPending = leavesQuantity === 0 ? null : order.amendPending;
  const after = { ...order, filledQuantity, filledValueCents, feesCents, amendPending };
  const forMoney = order.notionalCents !== null;
  if (!forMoney)
    assert.equal(leavesOf(after, order.quantity), leavesQuantity, 'book and account agree on what is left');
  const [sibling] = (others ?? []).map((other) => {
    const less = Math.min(quantity, leavesOf(other, other.quantity));
    return { ...other, quantity: other.quantity - less };
  });
  // What is left of an amount of money when no share is wanted any more is not spent.
  const ends = forMoney && leavesQuantity === 0;
  const around = { others: others && (sibling ? [sibling] : []), bought };
  const { holdCents, holdShares } = needs(around, ends ? null : after);
  const buys = order.side === 'buy';
  const releasedCents = buys ? hold.holdCents - valueCents - fee - holdCents : 0;
  const releasedShares = buys ? 0 : hold.holdShares - quantity - holdShares;
  assert(releasedCents >= 0 && releasedShares >= 0, 'no fill costs more than what was held for it');
  return {
    type: 'OrderFilled.v1',
    data: {
      orderId: order.orderId,
      symbol: order.symbol,
      side: order.side,
      sequence,
      releasedCents,
      releasedShares,
      tradeId: tradeId(order.symbol, data.trade),
      liquidity,
      priceTicks,
      tickCents,
      quantity,
      valueCents,
      feeCents: fee,
      filledQuantity,
      filledValueCents,
      feesCents,
      leavesQuantity,
      closes: leavesQuantity === 0,
      ...(sells ? { heldShares: quantity } : {}),
      ...(sibling
        ? {
            sibling: {
              orderId: sibling.orderId,
              quantity: sibling.quantity,
              leavesQuantity: leavesOf(sibling, sibling.quantity),
            },
          }
        : {}),
      tradedAt: time,
    },
  };
}

type Ended = Extract<SettledFact, { type: 'OrderClosed.v1' }>['data'];

function closed(
  order: OpenOrder,
  around: Around,
  sequence: number,
  status: Ended['status'],
  reason: Ended['reason'],
): SettledFact {
  return {
    type: 'OrderClosed.v1',
    data: {
      orderId: order.orderId,
      symbol: order.symbol,
      side: order.side,
      sequence,
      ...releasedBy(around, null),
      status,
      reason,
      unfilledQuantity: order.notionalCents === null ? order.quantity - order.filledQuantity : 0,
    },
  };
}
