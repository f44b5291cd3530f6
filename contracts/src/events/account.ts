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
import { ListedOrder, ListKind } from './orderList.ts';

/**
 * Events of `account-<id>`: money, shares and orders of one account. A command may only raise a hold; only the
 * settlement of a book output lowers one. Amounts are cents, prices ticks of `tickCents` cents, quantities shares.
 */
const int = z.int();
const count = Count;
/** Characters of a sentence that says why: a rule with its values, or a word of another service. */
const DETAIL_MAX = 2_000;

/** What settlement says of any order that a book output touched. */
const settled = {
  orderId: z.uuid(),
  symbol: SymbolName,
  side: Side,
  /** Revision of the output in `book-<symbol>`: an order remembers the last one applied to it. */
  sequence: count,
  /** What the hold goes down by (besides what the fill itself uses up). */
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
    /** A limit order's price; a market order's protection price, beyond which it never trades. */
    limitTicks: count,
    tickCents: count,
    /** The static reference price that the order was decided with. */
    referenceTicks: count,
    /** The entry collar was not checked and must not be: bands are off for the account or the symbol. */
    bandExempt: z.boolean(),
    feePpm: count,
    /** Cash held for a buy (worst case with fees), shares held for a sell; the other one is 0. */
    holdCents: count,
    holdShares: count,
    ...orderTerms,
  }),
  /** Orders that belong together, and are one input of the book; what is held is held for all of them. */
  'OrderListPlaced.v1': z.strictObject({
    listId: z.uuid(),
    accountId: z.uuid(),
    kind: ListKind,
    symbol: SymbolName,
    /** Of each of its orders. */
    quantity: count,
    tickCents: count,
    referenceTicks: count,
    bandExempt: z.boolean(),
    feePpm: count,
    holdCents: count,
    holdShares: count,
    /** The first one is what the command asked for above all. */
    orders: z.array(ListedOrder).min(2).max(3),
  }),
  /** No order is taken or changed, and all open ones are canceled: their cancels follow. */
  'KillSwitchActivated.v1': z.strictObject({
    accountId: z.uuid(),
    by: z.enum(['owner', 'operator']),
    reason: line(200).nullable(),
  }),
  'KillSwitchReleased.v1': z.strictObject({ accountId: z.uuid(), by: z.enum(['owner', 'operator']) }),
  /** All open orders are canceled at the deadline unless another one is set before; null: switched off. */
  'DeadManSet.v1': z.strictObject({ accountId: z.uuid(), deadlineAt: Time.nullable() }),
  /** The deadline passed and cancels of all open orders were asked for. */
  'DeadManFired.v1': z.strictObject({ accountId: z.uuid(), deadlineAt: Time }),
  /** A well-formed order that was not taken; it never reaches the engine. */
  'OrderRefused.v1': z.strictObject({
    orderId: z.uuid(),
    accountId: z.uuid(),
    clientOrderId: StoredClientOrderId.nullable(),
    symbol: text(12),
    side: Side,
    type: OrderType,
    timeInForce: TimeInForce,
    quantity: count,
    /** As asked, in cents; null for a market order. */
    limitCents: count.nullable(),
    code: RefusalCode,
    /** The failing rule's values, as they are told to the client. */
    detail: text(DETAIL_MAX),
    ...orderTerms,
    /** It was to be the first of a list. */
    listKind: ListKind.optional(),
    /** As asked, in cents; the terms have no prices here. */
    stopCents: count.optional(),
    trailCents: count.optional(),
  }),
  /** One command that cancels many orders; a cancel of each of them follows. It holds the command's key. */
  'OrdersCancelRequested.v1': z.strictObject({
    accountId: z.uuid(),
    /** What was asked for; null: all. Prices in cents, both ends included. */
    symbol: SymbolName.nullable(),
    side: Side.nullable(),
    lowCents: count.nullable(),
    highCents: count.nullable(),
    /** Of the stops; absent: not asked for. */
    lowStopCents: count.optional(),
    highStopCents: count.optional(),
    /** The orders that it met, in the batches in which they are canceled. */
    orders: z.array(z.strictObject({ symbol: SymbolName, orderIds: z.array(z.uuid()) })),
  }),
  'OrderCancelRequested.v1': z.strictObject({ orderId: z.uuid(), accountId: z.uuid(), symbol: SymbolName }),
  'OrderAmendRequested.v1': z.strictObject({
    orderId: z.uuid(),
    accountId: z.uuid(),
    symbol: SymbolName,
    /** 1 for the order's first amendment, and so on; its answer names it. */
    amendment: count,
    /** The new total quantity, what is filled included. */
    quantity: count,
    /** The new limit and its unit; absent: as it was. */
    limitTicks: count.optional(),
    tickCents: count.optional(),
    /** Bands are off for the account or the symbol; absent: they count. */
    bandExempt: z.literal(true).optional(),
    /** What the hold goes up by, so that it covers both versions until the answer; absent: nothing. */
    holdCents: count.optional(),
    holdShares: count.optional(),
  }),
  /** Any other command on this account that was refused. */
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
    /** The order, deposit or transfer that it was about. */
    subjectId: z.uuid(),
    code: RefusalCode,
    detail: text(DETAIL_MAX),
  }),
  'OrderFilled.v1': z.strictObject({
    ...settled,
    tradeId: word(100),
    /** `auction`: paired at the end of a call. */
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
    /** True on the last fill, which closes the order. */
    closes: z.boolean(),
    /** Bought shares of these that are held at once, for the orders of its bracket that will sell them. */
    heldShares: count.optional(),
    /** The other order of its list, as this fill leaves it: less by the same shares. What is released is the list's. */
    sibling: z.strictObject({ orderId: z.uuid(), quantity: count, leavesQuantity: count }).optional(),
    tradedAt: Time,
  }),
  'OrderAmended.v1': z.strictObject({
    ...settled,
    amendment: count,
    quantity: count,
    leavesQuantity: count,
    /** True when nothing is left: the order is `filled`, or `canceled` where all that it ever lost was prevented. */
    closes: z.boolean(),
    /** Taken off by self-trade prevention so far; absent: nothing. */
    preventedQuantity: count.optional(),
    /** The new limit and its unit, where it changed. */
    limitTicks: count.optional(),
    tickCents: count.optional(),
  }),
  /** A match with an order of the same account was prevented by taking it off both. */
  'OrderDecremented.v1': z.strictObject({
    ...settled,
    /** Shares taken off by this one, and by all so far: quantity = filled + prevented + leaves. */
    quantity: count,
    preventedQuantity: count,
    leavesQuantity: count,
  }),
  /** Its bracket's entry has ended: it is for what that has bought from now on. */
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
    /** What was held for the amended version alone; absent: nothing. */
    releasedCents: count.optional(),
    releasedShares: count.optional(),
  }),
  /** Every end of an order but its last fill; `filled` where a market buy's money buys no further lot. */
  'OrderClosed.v1': z.strictObject({
    ...settled,
    status: z.enum(['canceled', 'expired', 'rejected', 'filled']),
    reason: z.union([RefusalCode, ExpiryReason]).nullable(),
    /** Unfilled shares that will not trade any more. */
    unfilledQuantity: int,
  }),
} as const;

export const accountEvents = data;
type Data = typeof data;
export type AccountFact = { [T in keyof Data]: { type: T; data: z.infer<Data[T]> } }[keyof Data];
