import { tradeId } from '@brokerx/contracts';
import { type AuditedAccount, bookedWhere, fill, heldEnough, lower, solvent } from './account.ts';
import type { Findings } from './findings.ts';
import type { AuditedOrder } from './order.ts';
import { isLeg } from './orderList.ts';
import { type Owed, type Settlement, settledOutput } from './owed.ts';
import { arm } from './placedList.ts';
import type { RawEvent, RawEventOf } from './rawEvent.ts';

/** What the book says where an order ends so. */
const ENDED_BY = {
  rejected: 'OrderRejected.v1',
  canceled: 'OrderCanceled.v1',
  expired: 'OrderExpired.v1',
  filled: 'OrderCompleted.v1',
} as const;

/** An account takes an output of a book: it is what the book said, and the account books it right. */
export function settle(owed: Owed, account: AuditedAccount, event: Settlement): void {
  const order = orderOf(owed, account, event);
  if (!order) return;
  switch (event.type) {
    case 'OrderFilled.v1':
      return settleFill(owed, account, order, event);
    case 'OrderClosed.v1':
      return settleClose(owed, account, order, event);
    case 'OrderAmended.v1':
      return settleAmend(owed, account, order, event);
    case 'OrderAmendRejected.v1':
      return settleAmendRejected(owed, account, order, event);
    case 'OrderDecremented.v1':
      return settleDecrement(owed, account, order, event);
    case 'OrderArmed.v1':
      if (settledOutput(owed, event, order, ['OrderActivated.v1'])) arm(order, event, owed.findings);
  }
}

/** The account's order that the event names; a finding when there is none. */
export function orderOf(
  { orders, findings }: Owed,
  account: AuditedAccount,
  event: RawEvent & { data: { orderId: string } },
): AuditedOrder | undefined {
  const { orderId } = event.data;
  const order = orders.get(orderId);
  if (!order || order.accountId !== account.id) {
    findings.add('phantom', `${event.stream}@${event.revision}: ${event.type} of unknown order ${orderId}`);
    return undefined;
  }
  return order;
}

function settleFill(
  owed: Owed,
  account: AuditedAccount,
  order: AuditedOrder,
  event: RawEventOf<'OrderFilled.v1'>,
): void {
  const { findings } = owed;
  const { data } = event;
  const output = settledOutput(owed, event, order, ['TradeExecuted.v1']);
  if (output?.type !== 'TradeExecuted.v1') return;
  const trade = output.data;
  const auctionLeg = order.side === 'buy' ? 'maker' : 'taker';
  const leg = trade[data.liquidity === 'auction' ? auctionLeg : data.liquidity];
  findings.expect(
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
  fill(account, order, event, findings);
  solvent(account, order.symbol, findings);
}

function settleClose(
  owed: Owed,
  account: AuditedAccount,
  order: AuditedOrder,
  event: RawEventOf<'OrderClosed.v1'>,
): void {
  const { findings } = owed;
  const { data } = event;
  if (!settledOutput(owed, event, order, [ENDED_BY[data.status]])) return;
  findings.expect(order.end === null, 'duplicate', () => `order ${order.id} ends again`);
  findings.expect(
    data.unfilledQuantity === (order.notionalCents === null ? order.quantity - order.filled : 0),
    'mismatch',
    () =>
      `order ${order.id} ends with ${data.unfilledQuantity} unfilled of ${order.quantity}, ${order.filled} were filled`,
  );
  order.end = data.status;
  order.reason = data.reason;
  release(account, order, event, findings);
}

function settleAmend(
  owed: Owed,
  account: AuditedAccount,
  order: AuditedOrder,
  event: RawEventOf<'OrderAmended.v1'>,
): void {
  const { findings } = owed;
  const { data } = event;
  if (!settledOutput(owed, event, order, ['OrderReplaced.v1'])) return;
  findings.expect(
    data.quantity >= order.filled + order.prevented &&
      data.leavesQuantity === data.quantity - order.filled - order.prevented,
    'mismatch',
    () => `order ${order.id}: the amendment to ${data.quantity} does not add up`,
  );
  const pending = order.pendingAmendment;
  findings.expect(
    pending !== null &&
      (data.limitTicks ?? order.limitTicks) === (data.closes ? order.limitTicks : pending.limitTicks) &&
      (data.closes || data.quantity === (isLeg(order) ? order.quantity : pending.quantity)),
    'mismatch',
    () => `order ${order.id}: amendment ${data.amendment} is not what was asked for`,
  );
  order.pendingAmendment = null;
  order.quantity = data.quantity;
  order.limitTicks = data.limitTicks ?? order.limitTicks;
  order.amendmentAnswered = data.amendment;
  if (data.closes) order.end = order.filled > 0 ? 'filled' : 'canceled';
  release(account, order, event, findings);
}

function settleAmendRejected(
  owed: Owed,
  account: AuditedAccount,
  order: AuditedOrder,
  event: RawEventOf<'OrderAmendRejected.v1'>,
): void {
  if (!settledOutput(owed, event, order, ['OrderReplaceRejected.v1'])) return;
  const { amendment, releasedCents = 0, releasedShares = 0 } = event.data;
  order.amendmentAnswered = amendment;
  order.pendingAmendment = null;
  lower(account, order, releasedCents, releasedShares);
  bookedWhere(account, event, releasedCents, releasedShares);
  heldEnough(order, owed.findings);
}

function settleDecrement(
  owed: Owed,
  account: AuditedAccount,
  order: AuditedOrder,
  event: RawEventOf<'OrderDecremented.v1'>,
): void {
  const { findings } = owed;
  const { data } = event;
  const output = settledOutput(owed, event, order, ['TradePrevented.v1']);
  if (output?.type !== 'TradePrevented.v1') return;
  order.prevented += data.quantity;
  findings.expect(
    output.data.quantity === data.quantity &&
      data.preventedQuantity === order.prevented &&
      data.leavesQuantity === order.quantity - order.filled - order.prevented,
    'mismatch',
    () => `order ${order.id}: the prevented match at ${data.sequence} does not add up`,
  );
  release(account, order, event, findings);
}

/** Takes what the event releases off the order's hold; what is left must be enough. */
function release(
  account: AuditedAccount,
  order: AuditedOrder,
  event: RawEventOf<'OrderClosed.v1' | 'OrderAmended.v1' | 'OrderDecremented.v1'>,
  findings: Findings,
): void {
  const { releasedCents, releasedShares } = event.data;
  lower(account, order, releasedCents, releasedShares);
  bookedWhere(account, event, releasedCents, releasedShares);
  heldEnough(order, findings);
  solvent(account, order.symbol, findings);
}
