import { z } from 'zod';
import { Count, line, text, word } from '../base/domains.ts';
import {
  ExpiryReason,
  Liquidity,
  OrderType,
  orderTerms,
  Side,
  StoredClientOrderId,
  SymbolName,
  TimeInForce,
} from '../base/order.ts';
import { RefusalCode } from '../base/refusals.ts';
import { Time } from '../base/time.ts';
import { ListKind, OrderInList } from './orderList.ts';

/**
 * Events of `account-<id>`: money, shares and orders of one account. A command may only raise a hold; only the
 * settlement of a book output lowers one. Amounts are cents, prices ticks of `tickCents` cents, quantities shares.
 */
const int = z.int();
const count = Count;
/** The longest explanation, in characters: a rule with its values, or the reason that another service gave. */
const DETAIL_MAX = 2_000;

/** The fields that settlement writes for every order in a book output. */
const settled = {
  orderId: z.uuid(),
  symbol: SymbolName,
  side: Side,
  /** Revision of the output in `book-<symbol>`. An order remembers the last one that was applied to it. */
  sequence: count,
  /** The amounts by which the hold is lowered, besides what a fill uses. */
  releasedCents: count,
  releasedShares: count,
};

const data = {
  'AccountOpened.v1': z.strictObject({ accountId: z.uuid(), clientId: z.uuid() }),
  'DepositRequested.v1': z.strictObject({ depositId: z.uuid(), amountCents: count }),
  'DepositSettled.v1': z.strictObject({ depositId: z.uuid(), amountCents: count }),
  'DepositRejected.v1': z.strictObject({ depositId: z.uuid(), amountCents: count, reason: text(DETAIL_MAX) }),
  'CashTransferredIn.v1': z.strictObject({ transferId: z.uuid(), amountCents: count }),
  'SharesTransferredIn.v1': z.strictObject({ transferId: z.uuid(), symbol: SymbolName, quantity: count }),
  'AccountExemptionsChanged.v1': z.strictObject({ bandsOff: z.boolean(), quotasOff: z.boolean() }),
  'OrderPlaced.v1': z.strictObject({
    orderId: z.uuid(),
    accountId: z.uuid(),
    clientOrderId: StoredClientOrderId.nullable(),
    symbol: SymbolName,
    side: Side,
    type: OrderType,
    timeInForce: TimeInForce,
    quantity: count,
    /** A limit order's price. For a market order its protection price, beyond which it never trades. */
    limitTicks: count,
    tickCents: count,
    /** The static reference price when the order was accepted. */
    referenceTicks: count,
    /** The engine must not check the entry collar: bands are off for the account or the symbol. */
    bandExempt: z.boolean(),
    feePpm: count,
    /** Cash held for a buy (its worst case, with fees), or shares held for a sell. The other one is 0. */
    holdCents: count,
    holdShares: count,
    ...orderTerms,
  }),
  /** A list of orders, which is one input of the book. Its hold is for all of its orders together. */
  'OrderListPlaced.v1': z.strictObject({
    listId: z.uuid(),
    accountId: z.uuid(),
    kind: ListKind,
    symbol: SymbolName,
    /** Each order of the list has this quantity. */
    quantity: count,
    tickCents: count,
    referenceTicks: count,
    bandExempt: z.boolean(),
    feePpm: count,
    holdCents: count,
    holdShares: count,
    /** The first one is the main order: the entry of a bracket, or the take-profit. */
    orders: z.array(OrderInList).min(2).max(3),
  }),
  /** From now on no order is taken or changed. All open orders are canceled: their cancel requests follow. */
  'KillSwitchActivated.v1': z.strictObject({
    accountId: z.uuid(),
    by: z.enum(['owner', 'operator']),
    reason: line(200).nullable(),
  }),
  'KillSwitchReleased.v1': z.strictObject({ accountId: z.uuid(), by: z.enum(['owner', 'operator']) }),
  /** All open orders are canceled at the deadline unless another deadline is set before; null switches this off. */
  'DeadManSet.v1': z.strictObject({ accountId: z.uuid(), deadlineAt: Time.nullable() }),
  /** The deadline passed, and all open orders are canceled: their cancel requests follow. */
  'DeadManFired.v1': z.strictObject({ accountId: z.uuid(), deadlineAt: Time }),
  /** A well-formed order was refused; it never reaches the engine. */
  'OrderRefused.v1': z.strictObject({
    orderId: z.uuid(),
    accountId: z.uuid(),
    clientOrderId: StoredClientOrderId.nullable(),
    symbol: text(12),
    side: Side,
    type: OrderType,
    timeInForce: TimeInForce,
    quantity: count,
    /** The requested limit in cents; null for a market order. */
    limitCents: count.nullable(),
    code: RefusalCode,
    /** The rule that failed, with its values, as the client reads it. */
    detail: text(DETAIL_MAX),
    ...orderTerms,
    /** Set when the refused request was a list, whose first order this is. */
    listKind: ListKind.optional(),
    /** The requested prices in cents. The terms' own price fields (in ticks) are absent here. */
    stopCents: count.optional(),
    trailCents: count.optional(),
  }),
  /** One command that cancels many orders. It carries the command's key; a cancel request for each order follows. */
  'OrdersCancelRequested.v1': z.strictObject({
    accountId: z.uuid(),
    /** The filters of the command; null means any. Limit prices are in cents, both ends included. */
    symbol: SymbolName.nullable(),
    side: Side.nullable(),
    lowCents: count.nullable(),
    highCents: count.nullable(),
    /** The filter on stop prices; absent when the command has none. */
    lowStopCents: count.optional(),
    highStopCents: count.optional(),
    /** The orders that match the filters, in the batches in which they are canceled. */
    orders: z.array(z.strictObject({ symbol: SymbolName, orderIds: z.array(z.uuid()) })),
  }),
  'OrderCancelRequested.v1': z.strictObject({ orderId: z.uuid(), accountId: z.uuid(), symbol: SymbolName }),
  'OrderAmendRequested.v1': z.strictObject({
    orderId: z.uuid(),
    accountId: z.uuid(),
    symbol: SymbolName,
    /** 1 for the order's first amendment, and so on. The engine's answer names it. */
    amendment: count,
    /** The new total quantity, filled shares included. */
    quantity: count,
    /** The new limit and its unit; absent when the limit stays. */
    limitTicks: count.optional(),
    tickCents: count.optional(),
    /** Set when bands are off for the account or the symbol. */
    bandExempt: z.literal(true).optional(),
    /** The amounts by which the hold is raised, so that it covers both versions until the answer; absent: 0. */
    holdCents: count.optional(),
    holdShares: count.optional(),
  }),
  /** A command other than placing an order was refused. */
  'CommandRefused.v1': z.strictObject({
    command: z.enum([
      'CancelOrder',
      'CancelOrders',
      'AmendOrder',
      'Deposit',
      'TransferCash',
      'TransferShares',
      'ReleaseKillSwitch',
    ]),
    /** The order, deposit or transfer that the command was for. */
    subjectId: z.uuid(),
    code: RefusalCode,
    detail: text(DETAIL_MAX),
  }),
  'OrderFilled.v1': z.strictObject({
    ...settled,
    tradeId: word(100),
    /** `auction`: the order was paired at the end of a call. */
    liquidity: Liquidity,
    priceTicks: count,
    tickCents: count,
    quantity: count,
    valueCents: count,
    feeCents: count,
    /** Totals of the order after this fill. */
    filledQuantity: count,
    filledValueCents: count,
    feesCents: count,
    leavesQuantity: count,
    /** True for the last fill, which closes the order. */
    closes: z.boolean(),
    /** The bought shares that are held at once, because the other orders of the bracket will sell them. */
    heldShares: count.optional(),
    /** The other order of the list after this fill, which takes the same shares off it. The released hold is the list's. */
    sibling: z.strictObject({ orderId: z.uuid(), quantity: count, leavesQuantity: count }).optional(),
    tradedAt: Time,
  }),
  'OrderAmended.v1': z.strictObject({
    ...settled,
    amendment: count,
    quantity: count,
    leavesQuantity: count,
    /** True when nothing is left: the order is `filled`, or `canceled` if self-trade prevention took all of it. */
    closes: z.boolean(),
    /** Shares that self-trade prevention has taken off so far; absent: 0. */
    preventedQuantity: count.optional(),
    /** The new limit and its unit, if it changed. */
    limitTicks: count.optional(),
    tickCents: count.optional(),
  }),
  /** The order met one of the same account: instead of a trade, both lost these shares. */
  'OrderDecremented.v1': z.strictObject({
    ...settled,
    /** Shares taken off now, and in total so far. The order's quantity is filled + prevented + leaves. */
    quantity: count,
    preventedQuantity: count,
    leavesQuantity: count,
  }),
  /** The entry of the order's bracket has ended. The order is now live, for the quantity that the entry bought. */
  'OrderArmed.v1': z.strictObject({
    orderId: z.uuid(),
    symbol: SymbolName,
    side: Side,
    sequence: count,
    quantity: count,
  }),
  'OrderAmendRejected.v1': z.strictObject({
    orderId: z.uuid(),
    symbol: SymbolName,
    sequence: count,
    amendment: count,
    code: RefusalCode,
    /** The amounts that were held for the refused version alone; absent: 0. */
    releasedCents: count.optional(),
    releasedShares: count.optional(),
  }),
  /** Every end of an order except its last fill. `filled`: the rest of a market buy's money buys no further lot. */
  'OrderClosed.v1': z.strictObject({
    ...settled,
    status: z.enum(['canceled', 'expired', 'rejected', 'filled']),
    reason: z.union([RefusalCode, ExpiryReason]).nullable(),
    /** The unfilled shares, which will never trade. */
    unfilledQuantity: int,
  }),
} as const;

export const accountEvents = data;
type Data = typeof data;
export type AccountFact = { [T in keyof Data]: { type: T; data: z.infer<Data[T]> } }[keyof Data];
