import { decimalFromCents, keyOfStream, views } from '@brokerx/contracts';
import type { z } from 'zod';
import type { RawEvent } from '../src/audit/rawEvent.ts';

export type Entry = z.infer<typeof views.LedgerEntryView>;
export type Execution = z.infer<typeof views.ExecutionView>;
export type Candle = z.infer<typeof views.CandleView>;
type Posting = Entry['postings'][number];

/** The ledger of an account as the query API would show it for this history, the newest entry first. */
export function shownLedger(events: readonly RawEvent[], accountId: string): Entry[] {
  return eventsOf(events, accountId)
    .flatMap((event): Entry[] => {
      const postings = postingsOf(event).filter(({ amount }) => Number(amount) !== 0);
      if (postings.length === 0) return [];
      const data = event.data as { orderId?: string; symbol?: string };
      return [
        {
          id: event.id,
          account_id: accountId,
          kind: event.type.slice(0, -'.v1'.length),
          order_id: data.orderId ?? null,
          symbol: data.symbol ?? null,
          postings,
          created_at: event.time,
        },
      ];
    })
    .reverse();
}

function postingsOf(event: RawEvent): Posting[] {
  const cash = (book: Posting['book'], cents: number) => ({
    book,
    asset: 'USD',
    amount: decimalFromCents(cents),
  });
  switch (event.type) {
    case 'CashTransferredIn.v1':
      return [cash('available', event.data.amountCents), cash('outside', -event.data.amountCents)];
    case 'SharesTransferredIn.v1':
      return [
        { book: 'available', asset: event.data.symbol, amount: String(event.data.quantity) },
        { book: 'outside', asset: event.data.symbol, amount: String(-event.data.quantity) },
      ];
    case 'OrderPlaced.v1': {
      const { symbol: asset, holdCents, holdShares } = event.data;
      return [
        cash('available', -holdCents),
        cash('held', holdCents),
        { book: 'available', asset, amount: String(-holdShares) },
        { book: 'held', asset, amount: String(holdShares) },
      ];
    }
    case 'OrderFilled.v1': {
      const { side, symbol: asset, quantity, valueCents, feeCents, releasedCents } = event.data;
      const buys = side === 'buy';
      return [
        cash('available', buys ? releasedCents : valueCents - feeCents),
        cash('held', buys ? -valueCents - feeCents - releasedCents : 0),
        cash('clearing', buys ? valueCents : -valueCents),
        cash('fees', feeCents),
        { book: buys ? 'available' : 'held', asset, amount: String(buys ? quantity : -quantity) },
        { book: 'clearing', asset, amount: String(buys ? -quantity : quantity) },
      ];
    }
    default:
      return [];
  }
}

/** An account's executions, the newest first. */
export function shownExecutions(events: readonly RawEvent[], accountId: string): Execution[] {
  return eventsOf(events, accountId)
    .flatMap((event): Execution[] => {
      if (event.type !== 'OrderFilled.v1') return [];
      const fill = event.data;
      return [
        {
          id: `${fill.tradeId}-${fill.side}`,
          account_id: accountId,
          order_id: fill.orderId,
          symbol: fill.symbol,
          side: fill.side,
          liquidity: fill.liquidity,
          price: decimalFromCents(fill.priceTicks * fill.tickCents),
          qty: String(fill.quantity),
          value: decimalFromCents(fill.valueCents),
          fee: decimalFromCents(fill.feeCents),
          sequence: fill.sequence,
          executed_at: fill.tradedAt,
        },
      ];
    })
    .reverse();
}

/** A symbol's candles of an interval, in the order of time. */
export function shownCandles(
  events: readonly RawEvent[],
  symbol: string,
  interval: views.CandleInterval,
): Candle[] {
  const candles = new Map<number, { prices: number[]; volume: number }>();
  for (const event of events) {
    if (event.type !== 'TradeExecuted.v1' || event.stream !== `book-${symbol}`) continue;
    const start = views.candleStart(interval, Date.parse(event.time));
    const candle = candles.get(start) ?? { prices: [], volume: 0 };
    candles.set(start, candle);
    candle.prices.push(event.data.priceTicks * event.data.tickCents);
    candle.volume += event.data.quantity;
  }
  return [...candles].map(([start, { prices, volume }]) => ({
    start: new Date(start).toISOString(),
    open: decimalFromCents(prices[0] as number),
    high: decimalFromCents(Math.max(...prices)),
    low: decimalFromCents(Math.min(...prices)),
    close: decimalFromCents(prices.at(-1) as number),
    volume: String(volume),
    trades: prices.length,
    closed: true,
  }));
}

const eventsOf = (events: readonly RawEvent[], accountId: string): RawEvent[] =>
  events.filter(({ stream }) => stream.startsWith('account-') && keyOfStream(stream) === accountId);
