import { keyOfStream, tradeId } from '@brokerx/contracts';
import {
  type AuditedAccount,
  add,
  bookedWhere,
  emptyAccount,
  fill,
  heldEnough,
  hold,
  holdingOf,
  lower,
  solvent,
} from './account.ts';
import type { Findings } from './findings.ts';
import { type AuditedOrder, orderFrom } from './order.ts';
import { isLeg } from './orderList.ts';
import { arm, placeList } from './placedList.ts';
import type { RawEvent } from './rawEvent.ts';

/** What the book says where an order ends so. */
const ENDED_BY = {
  rejected: 'OrderRejected.v1',
  canceled: 'OrderCanceled.v1',
  expired: 'OrderExpired.v1',
  filled: 'OrderCompleted.v1',
} as const;

/** All accounts together, and what the book has said that they have not settled yet. */
export function accountLedger(found: Findings) {
  const accounts = new Map<string, AuditedAccount>();
  const orders = new Map<string, AuditedOrder>();
  /** Orders that were refused before they reached an engine: code by id. */
  const refused = new Map<string, { accountId: string; code: string }>();
  const transfers = new Set<string>();
  /** Deposits ever asked for, to know a second decision from one that nobody asked for. */
  const deposits = new Set<string>();
  /** Book outputs that an account must still take, by symbol, sequence and order. */
  const owed = new Map<string, { position: number; output: RawEvent }>();
  const due = (symbol: string, sequence: number, orderId: string) => `${symbol}/${sequence}/${orderId}`;

  /** The output that this event settles; a finding when there is none or it was settled before. */
  const settles = (event: RawEvent, order: AuditedOrder, sequence: number, types: readonly string[]) => {
    const id = due(order.symbol, sequence, order.id);
    const output = owed.get(id)?.output;
    if (!output || !types.includes(output.type)) {
      found.add(
        sequence <= order.lastSequence ? 'duplicate' : 'phantom',
        `${event.stream}@${event.revision}: ${event.type} for ${id}, which the book did not say${sequence <= order.lastSequence ? ' again' : ''}`,
      );
      return undefined;
    }
    owed.delete(id);
    found.expect(sequence > order.lastSequence, 'mismatch', () => `${id} is settled after a later output`);
    order.lastSequence = sequence;
    return output;
  };

  const orderOf = (event: RawEvent, account: AuditedAccount, id: string): AuditedOrder | undefined => {
    const order = orders.get(id);
    if (!order || order.accountId !== account.id) {
      found.add('phantom', `${event.stream}@${event.revision}: ${event.type} of unknown order ${id}`);
      return undefined;
    }
    return order;
  };

  const decideDeposit = (
    event: RawEvent,
    account: AuditedAccount,
    id: string,
    amountCents: number,
  ): boolean => {
    const asked = account.deposits.get(id);
    if (asked === undefined) {
      found.add(
        deposits.has(id) ? 'duplicate' : 'phantom',
        `deposit ${id} is decided ${deposits.has(id) ? 'again' : 'unasked'}`,
      );
      return false;
    }
    found.expect(asked === amountCents, 'money', () => `deposit ${id} of ${asked} became ${amountCents}`);
    account.deposits.delete(id);
    return true;
  };

  const transferOnce = (id: string): boolean => {
    if (transfers.has(id)) found.add('duplicate', `transfer ${id} is booked again`);
    return transfers.has(id) ? false : (transfers.add(id), true);
  };

  const bringIn = (event: RawEvent, account: AuditedAccount, amountCents: number) => {
    account.cashCents += amountCents;
    account.elsewhere.outsideCents -= amountCents;
    bookedWhere(account, event, amountCents, 0);
  };

  const settleClose = (event: Extract<RawEvent, { type: 'OrderClosed.v1' }>, account: AuditedAccount) => {
    const { data } = event;
    const order = orderOf(event, account, data.orderId);
    if (!order || !settles(event, order, data.sequence, [ENDED_BY[data.status]])) return;
    found.expect(order.end === null, 'duplicate', () => `order ${order.id} ends again`);
    found.expect(
      data.unfilledQuantity === (order.notionalCents === null ? order.quantity - order.filled : 0),
      'mismatch',
      () =>
        `order ${order.id} ends with ${data.unfilledQuantity} unfilled of ${order.quantity}, ${order.filled} were filled`,
    );
    order.end = data.status;
    order.reason = data.reason;
    lower(account, order, data.releasedCents, data.releasedShares);
    bookedWhere(account, event, data.releasedCents, data.releasedShares);
    heldEnough(order, found);
    solvent(account, order.symbol, found);
  };

  const settleAmend = (event: Extract<RawEvent, { type: 'OrderAmended.v1' }>, account: AuditedAccount) => {
    const { data } = event;
    const order = orderOf(event, account, data.orderId);
    if (!order || !settles(event, order, data.sequence, ['OrderReplaced.v1'])) return;
    found.expect(
      data.quantity >= order.filled + order.prevented &&
        data.leavesQuantity === data.quantity - order.filled - order.prevented,
      'mismatch',
      () => `order ${order.id}: the amendment to ${data.quantity} does not add up`,
    );
    const asked = order.asked;
    found.expect(
      asked !== null &&
        (data.limitTicks ?? order.limitTicks) === (data.closes ? order.limitTicks : asked.limitTicks) &&
        (data.closes || data.quantity === (isLeg(order) ? order.quantity : asked.quantity)),
      'mismatch',
      () => `order ${order.id}: amendment ${data.amendment} is not what was asked for`,
    );
    order.asked = null;
    order.quantity = data.quantity;
    order.limitTicks = data.limitTicks ?? order.limitTicks;
    order.amendmentAnswered = data.amendment;
    if (data.closes) order.end = order.filled > 0 ? 'filled' : 'canceled';
    lower(account, order, data.releasedCents, data.releasedShares);
    bookedWhere(account, event, data.releasedCents, data.releasedShares);
    heldEnough(order, found);
    solvent(account, order.symbol, found);
  };

  const settleDecrement = (
    event: Extract<RawEvent, { type: 'OrderDecremented.v1' }>,
    account: AuditedAccount,
  ) => {
    const { data } = event;
    const order = orderOf(event, account, data.orderId);
    const output = order && settles(event, order, data.sequence, ['TradePrevented.v1']);
    if (!order || output?.type !== 'TradePrevented.v1') return;
    order.prevented += data.quantity;
    found.expect(
      output.data.quantity === data.quantity &&
        data.preventedQuantity === order.prevented &&
        data.leavesQuantity === order.quantity - order.filled - order.prevented,
      'mismatch',
      () => `order ${order.id}: the prevented match at ${data.sequence} does not add up`,
    );
    lower(account, order, data.releasedCents, data.releasedShares);
    bookedWhere(account, event, data.releasedCents, data.releasedShares);
    heldEnough(order, found);
    solvent(account, order.symbol, found);
  };

  const settleFill = (event: Extract<RawEvent, { type: 'OrderFilled.v1' }>, account: AuditedAccount) => {
    const { data } = event;
    const order = orderOf(event, account, data.orderId);
    const output = order && settles(event, order, data.sequence, ['TradeExecuted.v1']);
    if (!order || output?.type !== 'TradeExecuted.v1') return;
    const trade = output.data;
    const auctionLeg = order.side === 'buy' ? 'maker' : 'taker';
    const leg = trade[data.liquidity === 'auction' ? auctionLeg : data.liquidity];
    found.expect(
      (data.liquidity === 'auction') === (trade.auction !== undefined) &&
        leg.orderId === order.id &&
        trade.priceTicks === data.priceTicks &&
        trade.tickCents === data.tickCents &&
        trade.quantity === data.quantity &&
        output.time === data.tradedAt &&
        tradeId(order.symbol, trade.trade) === data.tradeId,
      'mismatch',
      () => `order ${order.id}: fill ${data.tradeId} is not what was traded`,
    );
    fill(account, order, event, found);
    solvent(account, order.symbol, found);
  };

  return {
    accounts,
    orders,
    refused,

    accountEvent(event: RawEvent): void {
      const id = keyOfStream(event.stream);
      let account = accounts.get(id);
      if (!account) {
        found.expect(event.type === 'AccountOpened.v1', 'lost', () => `account ${id} was never opened`);
        account = emptyAccount(id);
        accounts.set(id, account);
      }
      switch (event.type) {
        case 'DepositRequested.v1':
          deposits.add(event.data.depositId);
          account.deposits.set(event.data.depositId, event.data.amountCents);
          return;
        case 'DepositSettled.v1':
          if (!decideDeposit(event, account, event.data.depositId, event.data.amountCents)) return;
          return bringIn(event, account, event.data.amountCents);
        case 'DepositRejected.v1':
          decideDeposit(event, account, event.data.depositId, event.data.amountCents);
          return;
        case 'CashTransferredIn.v1':
          if (!transferOnce(event.data.transferId)) return;
          return bringIn(event, account, event.data.amountCents);
        case 'SharesTransferredIn.v1': {
          if (!transferOnce(event.data.transferId)) return;
          const { symbol, quantity } = event.data;
          holdingOf(account, symbol).shares += quantity;
          add(account.elsewhere.outsideShares, symbol, -quantity);
          bookedWhere(account, event, 0, quantity);
          return;
        }
        case 'OrderPlaced.v1': {
          if (orders.has(event.data.orderId))
            return found.add('duplicate', `order ${event.data.orderId} is placed again`);
          found.expect(
            !account.killed,
            'mismatch',
            () => `${account.id} placed an order while it was killed`,
          );
          const order = orderFrom(event.data);
          orders.set(order.id, order);
          account.orders.push(order);
          hold(account, order, found);
          bookedWhere(account, event, order.holdCents, order.holdShares);
          solvent(account, order.symbol, found);
          return;
        }
        case 'OrderListPlaced.v1': {
          placeList(account, event.data, orders, found);
          bookedWhere(account, event, event.data.holdCents, event.data.holdShares);
          solvent(account, event.data.symbol, found);
          return;
        }
        case 'KillSwitchActivated.v1':
        case 'KillSwitchReleased.v1':
          account.killed = event.type === 'KillSwitchActivated.v1';
          return;
        case 'OrderRefused.v1':
          refused.set(event.data.orderId, { accountId: id, code: event.data.code });
          return;
        case 'OrderCancelRequested.v1': {
          const order = orderOf(event, account, event.data.orderId);
          if (order) order.cancelRequested = true;
          return;
        }
        case 'OrderAmendRequested.v1': {
          const order = orderOf(event, account, event.data.orderId);
          if (!order) return;
          const { amendment, quantity, limitTicks = order.limitTicks } = event.data;
          order.amendmentAsked = amendment;
          order.asksExemption = event.data.bandExempt === true;
          order.asked = { quantity, limitTicks };
          const { holdCents = 0, holdShares = 0 } = event.data;
          lower(account, order, -holdCents, -holdShares);
          bookedWhere(account, event, holdCents, holdShares);
          heldEnough(order, found);
          solvent(account, order.symbol, found);
          return;
        }
        case 'OrderFilled.v1':
          return settleFill(event, account);
        case 'OrderAmended.v1':
          return settleAmend(event, account);
        case 'OrderAmendRejected.v1': {
          const order = orderOf(event, account, event.data.orderId);
          if (order && settles(event, order, event.data.sequence, ['OrderReplaceRejected.v1'])) {
            const { releasedCents = 0, releasedShares = 0 } = event.data;
            order.amendmentAnswered = event.data.amendment;
            order.asked = null;
            lower(account, order, releasedCents, releasedShares);
            bookedWhere(account, event, releasedCents, releasedShares);
            heldEnough(order, found);
          }
          return;
        }
        case 'OrderArmed.v1': {
          const order = orderOf(event, account, event.data.orderId);
          const told = order && settles(event, order, event.data.sequence, ['OrderActivated.v1']);
          return told && arm(order, event, found);
        }
        case 'OrderDecremented.v1':
          return settleDecrement(event, account);
        case 'OrderClosed.v1':
          return settleClose(event, account);
        default:
          return;
      }
    },

    /** Notes what the accounts must now settle. */
    bookOutput(event: RawEvent, symbol: string): void {
      const owe = (orderId: string) =>
        void owed.set(due(symbol, event.revision, orderId), { position: event.position, output: event });
      switch (event.type) {
        case 'TradeExecuted.v1':
          owe(event.data.maker.orderId);
          owe(event.data.taker.orderId);
          return;
        case 'TradePrevented.v1':
          if (event.data.mode !== 'decrement') return;
          owe(event.data.maker.orderId);
          owe(event.data.taker.orderId);
          return;
        case 'OrderReplaceRejected.v1':
          // An order that had ended meanwhile needs no answer: it has no amendment any more.
          if (orders.get(event.data.order.orderId)?.end === null) owe(event.data.order.orderId);
          return;
        case 'OrderCancelRejected.v1':
          return;
        case 'OrderRejected.v1':
        case 'OrderReplaced.v1':
        case 'OrderCanceled.v1':
        case 'OrderExpired.v1':
        case 'OrderActivated.v1':
        case 'OrderCompleted.v1':
          owe(event.data.order.orderId);
          return;
        default:
          return;
      }
    },

    unanswered(upTo: number): { settlements: number; deposits: number } {
      let settlements = 0;
      for (const [id, { position, output }] of owed) {
        const answerNeeded =
          output.type !== 'OrderReplaceRejected.v1' ||
          orders.get(id.slice(id.lastIndexOf('/') + 1))?.end === null;
        if (position <= upTo && answerNeeded) settlements += 1;
      }
      let open = 0;
      for (const account of accounts.values()) open += account.deposits.size;
      return { settlements, deposits: open };
    },
  };
}
