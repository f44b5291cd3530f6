import type { BookFact } from '@brokerx/contracts';
import { fill } from '../book/book.ts';
import type { RestingOrder } from '../book/levels.ts';
import { nextPeak, openQuantityOf, withdraw } from './iceberg.ts';
import type { Incoming } from './incoming.ts';
import type { Engine } from './state.ts';

/**
 * Self-trade prevention: an incoming order meets one of its own account, and its mode says which of the two is canceled
 * or reduced. Prevented matches follow the same priority as trades.
 */
export function prevent(engine: Engine, incoming: Incoming, maker: RestingOrder, outputs: BookFact[]): void {
  const mode = incoming.selfTrade;
  const { side, priceTicks } = maker;
  const quantity = Math.min(incoming.leaves, maker.leaves);
  incoming.hasOtherOutputs = true;
  if (mode === 'decrement') {
    incoming.leaves -= quantity;
    fill(engine.book, maker, quantity);
  }
  const makerLeaves = openQuantityOf(engine, maker);
  const makerPeak = maker.leaves === 0 ? nextPeak(engine, maker) : 0;
  outputs.push({
    type: 'TradePrevented.v1',
    data: {
      mode,
      priceTicks,
      quantity,
      takerSide: incoming.side,
      maker: { ...refOf(maker), leaves: makerLeaves },
      taker: { ...takerRef(incoming), leaves: incoming.leaves },
      ...(makerPeak > 0 ? { makerPeak } : {}),
    },
  });
  const cancelsMaker = mode === 'cancel_oldest' || mode === 'cancel_both';
  if (cancelsMaker || makerLeaves === 0) {
    const { quantity: makerQuantity, shownQuantity } = cancelsMaker
      ? withdraw(engine, maker)
      : { quantity: 0 };
    const shown = shownQuantity === undefined ? {} : { shownQuantity };
    const rest = { side, priceTicks, quantity: makerQuantity, resting: true, ...shown };
    outputs.push({
      type: 'OrderExpired.v1',
      data: { order: refOf(maker), ...rest, reason: 'SELF_TRADE_PREVENTED' },
    });
  }
  incoming.ended = mode === 'cancel_newest' || mode === 'cancel_both' || incoming.leaves === 0;
  if (incoming.ended) {
    const { budget } = incoming;
    const rest = {
      side: incoming.side,
      priceTicks: incoming.limitTicks,
      quantity: budget ? 0 : incoming.leaves,
      resting: false,
      ...(budget ? { leftCents: budget.cents } : {}),
    };
    outputs.push({
      type: 'OrderExpired.v1',
      data: { order: takerRef(incoming), ...rest, reason: 'SELF_TRADE_PREVENTED' },
    });
  }
}

const refOf = ({ id, accountId, revision }: RestingOrder) => ({ orderId: id, accountId, revision });
const takerRef = ({ orderId, accountId, revision }: Incoming) => ({ orderId, accountId, revision });
