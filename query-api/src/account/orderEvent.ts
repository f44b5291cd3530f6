import {
  averagePriceDecimal,
  decimalFromCents,
  type Event,
  hasLimit,
  keyOfStream,
  type Listed,
  type OrderRef,
  placedOrders,
  tradeId,
  type views,
} from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';

type OrderEventView = views.OrderEventView;

/**
 * An event as the owner of an order may read it, in wire units. Undefined where the event is not about an order, or not about
 * `orderId`. A trade shows the owner's side alone: the other party stays private.
 */
export function orderEventView(recorded: Recorded<Event>, orderId?: string): OrderEventView | undefined {
  const body = bodyOf(recorded.event, recorded, orderId);
  if (!body || (orderId !== undefined && body.order_id !== orderId)) return undefined;
  const { event, order_id, symbol, ...rest } = body;
  return {
    event,
    source: recorded.stream.startsWith('book-') ? 'book' : 'account',
    position: recorded.position,
    revision: recorded.revision,
    time: recorded.event.time,
    order_id,
    symbol,
    ...rest,
  };
}

type Body = Omit<OrderEventView, 'source' | 'position' | 'revision' | 'time'>;

function bodyOf(event: Event, at: Recorded<Event>, orderId: string | undefined): Body | undefined {
  switch (event.type) {
    case 'OrderPlaced.v1':
      return { event: 'order_placed', ...placed(event.data) };
    case 'OrderListPlaced.v1': {
      const orders = placedOrders(event.data).map(placed);
      const own = orders.find(({ order_id }) => order_id === orderId);
      if (own) return { event: 'order_placed', ...own };
      const [first, ...legs] = orders;
      return first && { event: 'order_placed', ...first, legs };
    }
    case 'OrderRefused.v1': {
      const { data } = event;
      return {
        event: 'order_refused',
        ...terms(data),
        limit_price: data.limitCents === null ? null : decimalFromCents(data.limitCents),
        status: 'rejected',
        filled_qty: '0',
        leaves_qty: '0',
        reason: data.code,
        detail: data.detail,
      };
    }
    case 'OrderCancelRequested.v1':
      return { event: 'cancel_requested', order_id: event.data.orderId, symbol: event.data.symbol };
    case 'OrderAmendRequested.v1': {
      const { orderId: order_id, symbol, amendment, quantity } = event.data;
      const qty = String(quantity);
      return { event: 'amend_requested', order_id, symbol, amendment, qty, ...newLimit(event.data) };
    }
    case 'OrderFilled.v1': {
      const { data } = event;
      const { sibling } = data;
      const reduced = sibling && {
        order_id: sibling.orderId,
        qty: String(sibling.quantity),
        leaves_qty: String(sibling.leavesQuantity),
      };
      if (reduced && orderId === reduced.order_id) {
        const { symbol, side, sequence } = data;
        return { event: 'order_reduced', ...reduced, symbol, side, sequence };
      }
      return {
        event: 'order_filled',
        order_id: data.orderId,
        symbol: data.symbol,
        side: data.side,
        status: data.closes ? 'filled' : 'partially_filled',
        last_qty: String(data.quantity),
        last_price: money(data.priceTicks, data.tickCents),
        last_fee: decimalFromCents(data.feeCents),
        liquidity: data.liquidity,
        trade_id: data.tradeId,
        filled_qty: String(data.filledQuantity),
        filled_avg_price: averagePriceDecimal(data.filledValueCents, data.filledQuantity),
        leaves_qty: String(data.leavesQuantity),
        fees: decimalFromCents(data.feesCents),
        sequence: data.sequence,
        ...(reduced ? { sibling: reduced } : {}),
      };
    }
    case 'OrderAmended.v1': {
      const { data } = event;
      const filled = data.quantity - data.leavesQuantity - (data.preventedQuantity ?? 0);
      return {
        event: 'order_amended',
        order_id: data.orderId,
        symbol: data.symbol,
        side: data.side,
        status: amendedStatus(data.closes, filled),
        qty: String(data.quantity),
        filled_qty: String(filled),
        leaves_qty: String(data.leavesQuantity),
        amendment: data.amendment,
        sequence: data.sequence,
        ...newLimit(data),
      };
    }
    case 'OrderDecremented.v1': {
      const { data } = event;
      return {
        event: 'order_decremented',
        order_id: data.orderId,
        symbol: data.symbol,
        side: data.side,
        last_qty: String(data.quantity),
        prevented_qty: String(data.preventedQuantity),
        leaves_qty: String(data.leavesQuantity),
        sequence: data.sequence,
      };
    }
    case 'OrderAmendRejected.v1': {
      const { orderId: order_id, symbol, amendment, code, sequence } = event.data;
      return { event: 'amend_rejected', order_id, symbol, amendment, reason: code, sequence };
    }
    case 'OrderArmed.v1': {
      const { orderId: order_id, symbol, side, quantity, sequence } = event.data;
      const qty = String(quantity);
      return { event: 'order_armed', order_id, symbol, side, qty, leaves_qty: qty, sequence };
    }
    case 'OrderClosed.v1': {
      const { orderId: order_id, symbol, side, status, reason, sequence } = event.data;
      return { event: 'order_closed', order_id, symbol, side, status, leaves_qty: '0', reason, sequence };
    }
    default:
      return bookBodyOf(event, at, orderId);
  }
}

function bookBodyOf(event: Event, at: Recorded<Event>, orderId: string | undefined): Body | undefined {
  const of = (order: OrderRef) => ({ order_id: order.orderId, symbol: keyOfStream(at.stream) });
  switch (event.type) {
    case 'OrderAccepted.v1': {
      const { order, side, type, timeInForce, quantity, notionalCents } = event.data;
      const size =
        notionalCents === undefined
          ? { qty: String(quantity) }
          : { notional: decimalFromCents(notionalCents) };
      return {
        event: 'order_accepted',
        ...of(order),
        status: event.data.held ? 'held' : 'new',
        side,
        type,
        time_in_force: timeInForce,
        ...size,
      };
    }
    case 'OrderTriggered.v1': {
      const { order, side, quantity } = event.data;
      return { event: 'order_triggered', ...of(order), status: 'new', side, leaves_qty: String(quantity) };
    }
    case 'OrderActivated.v1': {
      const { order, side, quantity, held } = event.data;
      const qty = String(quantity);
      const status = held ? ('held' as const) : ('new' as const);
      return { event: 'order_activated', ...of(order), status, side, qty, leaves_qty: qty };
    }
    case 'OrderReduced.v1': {
      const { order, side, quantity, leaves } = event.data;
      const [last_qty, leaves_qty] = [String(quantity), String(leaves)];
      return { event: 'order_reduced', ...of(order), side, last_qty, leaves_qty };
    }
    case 'OrderEntered.v1': {
      const { order, side, quantity } = event.data;
      return { event: 'order_entered', ...of(order), status: 'new', side, leaves_qty: String(quantity) };
    }
    case 'OrderRejected.v1':
      return {
        event: 'order_rejected',
        ...of(event.data.order),
        status: 'rejected',
        reason: event.data.code,
      };
    case 'TradeExecuted.v1': {
      const { data } = event;
      const leg = data.maker.orderId === orderId ? 'maker' : 'taker';
      const mine = data[leg];
      return {
        event: 'trade_executed',
        order_id: mine.orderId,
        symbol: keyOfStream(at.stream),
        status: mine.leaves === 0 ? 'filled' : 'partially_filled',
        last_qty: String(data.quantity),
        last_price: money(data.priceTicks, data.tickCents),
        liquidity: data.auction ? 'auction' : leg,
        trade_id: tradeId(keyOfStream(at.stream), data.trade),
        leaves_qty: String(mine.leaves),
      };
    }
    case 'TradePrevented.v1': {
      const { data } = event;
      const liquidity = data.maker.orderId === orderId ? 'maker' : 'taker';
      const mine = data[liquidity];
      return {
        event: 'trade_prevented',
        ...of(mine),
        last_qty: String(data.quantity),
        liquidity,
        stp_mode: data.mode,
        leaves_qty: String(mine.leaves),
      };
    }
    case 'OrderReplaced.v1': {
      const { order, side, amendment, quantity, leaves } = event.data;
      const [qty, leaves_qty] = [String(quantity), String(leaves)];
      return { event: 'order_replaced', ...of(order), side, amendment, qty, leaves_qty };
    }
    case 'OrderCanceled.v1':
      return { event: 'order_canceled', ...of(event.data.order), side: event.data.side, status: 'canceled' };
    case 'OrderExpired.v1': {
      const { order, side, reason } = event.data;
      return { event: 'order_expired', ...of(order), side, status: 'expired', reason };
    }
    case 'OrderCompleted.v1':
      return { event: 'order_completed', ...of(event.data.order), side: event.data.side, status: 'filled' };
    case 'OrderCancelRejected.v1':
      return { event: 'cancel_rejected', ...of(event.data.order), reason: event.data.code };
    case 'OrderReplaceRejected.v1': {
      const { order, amendment, code } = event.data;
      return { event: 'replace_rejected', ...of(order), amendment, reason: code };
    }
    default:
      return undefined;
  }
}

const placed = (data: Extract<Event, { type: 'OrderPlaced.v1' }>['data'] & Partial<Listed>) => {
  const price = money(data.limitTicks, data.tickCents);
  return {
    ...terms(data),
    limit_price: hasLimit(data.type) ? price : null,
    protection_price: hasLimit(data.type) ? null : price,
    ...(data.stopTicks === undefined ? {} : { stop_price: money(data.stopTicks, data.tickCents) }),
    status: 'pending_new' as const,
    filled_qty: '0',
    leaves_qty: String(data.quantity),
    ...(data.listId === undefined ? {} : { list_id: data.listId, list_role: data.role }),
  };
};

const terms = (data: {
  orderId: string;
  clientOrderId: string | null;
  symbol: string;
  side: 'buy' | 'sell';
  type: OrderEventView['type'];
  timeInForce: OrderEventView['time_in_force'];
  quantity: number;
  postOnly?: true | undefined;
  minQuantity?: number | undefined;
  selfTrade?: OrderEventView['stp_mode'];
  expiresAt?: string | undefined;
  displayQuantity?: number | undefined;
  notionalCents?: number | undefined;
}) => ({
  order_id: data.orderId,
  symbol: data.symbol,
  client_order_id: data.clientOrderId,
  side: data.side,
  type: data.type,
  time_in_force: data.timeInForce,
  ...(data.notionalCents === undefined
    ? { qty: String(data.quantity) }
    : { notional: decimalFromCents(data.notionalCents) }),
  ...(data.displayQuantity === undefined ? {} : { display_qty: String(data.displayQuantity) }),
  ...(data.postOnly ? { post_only: true } : {}),
  ...(data.minQuantity === undefined ? {} : { min_qty: String(data.minQuantity) }),
  ...(data.selfTrade ? { stp_mode: data.selfTrade } : {}),
  ...(data.expiresAt ? { expires_at: data.expiresAt } : {}),
});

/** An amendment down to the filled quantity closes the order; without any fill it counts as canceled. */
function amendedStatus(closes: boolean, filled: number): OrderEventView['status'] {
  if (filled === 0) return closes ? 'canceled' : 'new';
  return closes ? 'filled' : 'partially_filled';
}

const newLimit = ({
  limitTicks,
  tickCents,
}: {
  limitTicks?: number | undefined;
  tickCents?: number | undefined;
}) => (limitTicks === undefined ? {} : { limit_price: money(limitTicks, tickCents ?? 1) });

const money = (ticks: number, tickCents: number): string => decimalFromCents(ticks * tickCents);
