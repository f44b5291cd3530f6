import type { BookFact, SelfTradeMode } from '@brokerx/contracts';
import { fill, matchable } from './book.ts';
import { type Engine, outputTime } from './engineState.ts';
import type { Side } from './levels.ts';
import { prevent } from './selfTrade.ts';

/** An order on its way into the book: one that arrives, or one whose change gave it a new priority. */
export type Incoming = {
  readonly orderId: string;
  readonly accountId: string;
  /** A revision at or after which its account knows it. */
  readonly revision: number;
  readonly side: Side;
  readonly limitTicks: number;
  readonly tickCents: number;
  readonly selfTrade: SelfTradeMode;
  /** Of the input. */
  readonly time: string;
  leaves: number;
  /** Self-trade prevention has ended it, and its end is told. */
  ended: boolean;
  /** Matches were prevented. */
  prevented: boolean;
  /** Price of its first trade; 0 before. The last one's is the engine's. */
  firstTicks: number;
};

/** Trades at the makers' prices, best price and then oldest order first, until nothing is left or nobody is met. */
export function match(engine: Engine, incoming: Incoming, outputs: BookFact[]): void {
  const { book } = engine;
  const { orderId, accountId, revision, side, limitTicks, tickCents } = incoming;
  const prevents = incoming.selfTrade !== 'none';
  while (incoming.leaves > 0) {
    const maker = matchable(book, side, limitTicks)?.first;
    if (!maker) break;
    if (prevents && maker.accountId === accountId) {
      prevent(book, incoming, maker, outputs);
      if (incoming.ended) break;
      continue;
    }
    const traded = Math.min(incoming.leaves, maker.leaves);
    const priceTicks = maker.priceTicks;
    fill(book, maker, traded);
    incoming.leaves -= traded;
    engine.trades += 1;
    if (incoming.firstTicks === 0) incoming.firstTicks = priceTicks;
    engine.lastTicks = priceTicks;
    outputs.push({
      type: 'TradeExecuted.v1',
      data: {
        trade: engine.trades,
        priceTicks,
        tickCents,
        quantity: traded,
        takerSide: side,
        maker: {
          orderId: maker.id,
          accountId: maker.accountId,
          revision: maker.revision,
          leaves: maker.leaves,
        },
        taker: { orderId, accountId, revision, leaves: incoming.leaves },
      },
    });
  }
  if (incoming.firstTicks > 0) engine.lastTradeTime = outputTime(engine, incoming);
}
