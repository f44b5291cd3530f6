import { views } from '@brokerx/contracts';
import type { Runtime } from '@brokerx/infra';
import { type StreamMessage, streamMessage } from '../live/streamMessage.ts';
import { addToCandle, type CandleFigures, candleView, readCandleAt } from '../market/candles.ts';
import type { EventReader } from '../reading/eventReader.ts';
import type { Freshness } from '../reading/freshness.ts';
import type { ReadDatabase } from '../reading/readDatabase.ts';
import { freshRows } from '../reading/reading.ts';
import type { RecordedTrade } from './bookUpdate.ts';
import type { FollowedBook } from './followedBook.ts';

/**
 * Sends the candle of the current interval with every trade, and once more when the interval ends. It begins with the
 * projection's candle, and adds the trades behind the position which that reflects. A trade of the last moments of an interval
 * may arrive after the closed candle was sent; then the closed candle is sent again.
 */
export async function followCandle(options: {
  store: Pick<EventReader, 'id' | 'head'>;
  database: Pick<ReadDatabase, 'queryAt'>;
  freshness: Pick<Freshness, 'read'>;
  runtime: Runtime;
  book: FollowedBook;
  interval: views.CandleInterval;
  send: (message: StreamMessage) => void;
  ended: AbortSignal;
}): Promise<void> {
  const { store, runtime, book, interval, send, ended } = options;
  const { symbol } = book;
  /** Trades that arrived while the projection's candle was being read. */
  let early: RecordedTrade[] | null = [];
  let candle: CandleFigures | null = null;
  let cancelTimer = (): void => undefined;

  const publish = (figures: CandleFigures) => {
    const data = JSON.stringify(candleView(interval, figures, runtime.nowMs()));
    send(streamMessage({ channel: 'candles', symbol, interval }, book.sequence(), data));
  };
  /** Sends the candle once more when its interval ends. */
  const awaitEnd = (current: CandleFigures) => {
    cancelTimer();
    const waitMs = views.candleEnd(interval, current.startMs) - runtime.nowMs();
    if (waitMs <= 0) return;
    // A timer counts to 24 days; a month is longer.
    cancelTimer = runtime.setTimer(Math.min(waitMs, TIMER_MS_MAX), () => {
      if (waitMs > TIMER_MS_MAX) awaitEnd(current);
      else if (candle === current) publish(current);
    });
  };
  const add = (trades: readonly RecordedTrade[]) => {
    for (const { event } of trades) {
      const startMs = views.candleStart(interval, Date.parse(event.time));
      const price = event.data.priceTicks * event.data.tickCents;
      const figures = {
        open: price,
        high: price,
        low: price,
        close: price,
        volume: event.data.quantity,
        trades: 1,
      };
      if (candle && candle.startMs >= startMs) addToCandle(candle, figures);
      else {
        if (candle) publish(candle);
        candle = { startMs, ...figures };
        awaitEnd(candle);
      }
    }
    if (candle && trades.length > 0) publish(candle);
  };

  const unwatch = book.watch(({ traded }) => {
    if (early) early.push(...traded);
    else add(traded);
  });
  const end = () => {
    unwatch();
    cancelTimer();
  };
  ended.addEventListener('abort', end, { once: true });
  if (ended.aborted) return end();

  const min = { storeId: store.id, position: book.position() };
  let reflected = 0;
  const tables = freshRows(options, ['candles'], min, (position) => {
    reflected = position;
  });
  candle = await readCandleAt(tables, { symbol, interval, atMs: runtime.nowMs() });
  if (ended.aborted) return;
  const beyond = early.filter(({ position }) => position > reflected);
  early = null;
  if (candle && beyond.length === 0) publish(candle);
  if (candle) awaitEnd(candle);
  add(beyond);
}

/** Milliseconds: the most that `setTimeout` takes, 2³¹ − 1. */
const TIMER_MS_MAX = 2_147_483_647;
