import { type Event, MARKET_DATA_EVENTS, MARKET_DATA_VIEW } from '@brokerx/contracts';
import {
  type Batch,
  type EventStore,
  type Feed,
  type FilteredPast,
  type HotStore,
  type Lease,
  type Leases,
  type Log,
  landmarks,
  mayFail,
  type Runtime,
  type Snapshots,
  sleep,
} from '@brokerx/infra';
import { isServerAway, type Outage, outage, unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import { followBooks } from './books.ts';
import { hotPublisher } from './hotPublisher.ts';
import { loadMarkets, marketSnapshots } from './marketSnapshots.ts';
import type { MarketDataMetrics } from './metrics.ts';
import { hotValues } from './symbolMarket.ts';
import { spanOf } from './ticker.ts';

/**
 * Market data: follows every book in memory and publishes changes to the hot store. It starts from snapshots and the events since.
 * The hot view's own cursor says what is published: a view that was lost, or that another process wrote, is written anew.
 */
export type MarketDataFeed = {
  /** Position up to which the books are followed; undefined while another process holds the lease. */
  position(): number | undefined;
  stop(): Promise<void>;
};

type Options = {
  store: EventStore<Event>;
  feed: Feed<Event>;
  hotStore: HotStore;
  snapshots: Snapshots;
  leases: Leases;
  runtime: Runtime;
  log: Log;
  metrics: MarketDataMetrics;
  batchEventsMax?: number;
  snapshotEveryMs?: number;
};

const BATCH_EVENTS_MAX = 2_000;
/**
 * Twenty times a second is faster than anybody reads, and lets a busy book's changes share a write; less often where
 * many symbols make a write long, so that it costs a tenth of the time at most.
 */
const PUBLISH_EVERY_MS = 50;
const PUBLISH_EVERY_MOST_MS = 250;
const PUBLISH_PACE = 10;
/** Milliseconds between looks at the view while nothing changes: it may have been lost. */
const CHECK_EVERY_MS = 1_000;
/** Milliseconds between snapshots. It bounds the events that a start folds: half a second's work at full load. */
const SNAPSHOT_EVERY_MS = 10_000;
/** Books of many orders make large snapshots: saving them may take a twentieth of the time. */
const SNAPSHOT_PACE = 20;
const RETRY_MS = 1_000;
const LEASE = `projection:${MARKET_DATA_VIEW.name}:${MARKET_DATA_VIEW.version}`;

export function startMarketData(options: Options): MarketDataFeed {
  const { leases, runtime, log } = options;
  const stopping = new AbortController();
  let position: number | undefined;

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        const lease = await leases.acquire(LEASE, stopping.signal);
        if (!lease) continue;
        await lead(options, lease, stopping.signal, (reached) => {
          position = reached;
        });
      } catch (error) {
        log[unlessOutage(error, 'warn')]({ err: error }, 'market data stopped; it starts again');
        await sleep(runtime, RETRY_MS, stopping.signal);
      }
      position = undefined;
    }
  };

  const ended = run();
  return {
    position: () => position,
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

/** Logs a hot store that answers but accepts no writes, such as a full Redis, the way an absent server is logged. */
function publishingRefused({
  log,
  runtime,
}: Pick<Options, 'log' | 'runtime'>): Pick<Outage, 'failed' | 'answered'> {
  const refused = outage({
    log,
    runtime,
    server: 'the hot store',
    trouble: 'taking nothing',
    until: 'it does',
    over: 'takes what is published again',
    meaning: 'depth, tickers and trades of markets stand still; everything else goes on; it is tried again',
  });
  return {
    failed(error) {
      const level = refused.isAway() ? 'debug' : unlessOutage(error, 'warn');
      log[level]({ err: error }, 'market data could not be published; it is tried again');
      if (!isServerAway(error)) refused.failed(error);
    },
    answered: () => refused.answered(),
  };
}

/** Follows and publishes for as long as the lease is held. */
async function lead(
  options: Options,
  lease: Lease,
  stop: AbortSignal,
  reached: (position: number) => void,
): Promise<void> {
  const { store, feed, hotStore, snapshots, runtime, log, metrics } = options;
  const over = AbortSignal.any([stop, lease.lost]);
  const loaded = await loadMarkets(snapshots, store);
  const books = followBooks(loaded.markets, loaded.reflected, (symbol, err) => {
    metrics.broken(symbol);
    log.error({ err, symbol }, 'a book cannot be followed; its market data is withdrawn');
  });
  let position = loaded.cursor?.position ?? 0;
  const followed = landmarks(loaded.cursor?.landmark ?? null);
  const reachedNow = (): FilteredPast => ({ position, landmark: followed.at(position) });
  let moved = new AbortController();
  const subscription = feed.subscribe({
    name: `${MARKET_DATA_VIEW.name}:${MARKET_DATA_VIEW.version}`,
    after: loaded.cursor,
    filter: MARKET_DATA_EVENTS,
    batchEventsMax: options.batchEventsMax ?? BATCH_EVENTS_MAX,
    async handle(batch: Batch<Event>) {
      books.fold(batch.events);
      position = batch.position;
      followed.add(batch.events);
      metrics.moved(position);
      reached(position);
      moved.abort();
    },
  });

  /**
   * The head of the store at the start. Each book is followed at its own pace, so the former publisher's values may reflect more
   * than their cursor says, but nothing beyond this head. Publishing begins there, so that no reader goes back.
   */
  let publishFrom: number | null = null;
  const publisher = hotPublisher(hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version), store);
  const refusals = publishingRefused(options);
  const keeper = marketSnapshots(snapshots, store.id);
  let span = 0;
  let keptMs = runtime.monotonicMs();
  let keepingMs = 0;
  let keeping: Promise<void> = Promise.resolve();
  const keepDue = () => {
    const everyMs = Math.max(options.snapshotEveryMs ?? SNAPSHOT_EVERY_MS, keepingMs * SNAPSHOT_PACE);
    if (runtime.monotonicMs() - keptMs < everyMs) return;
    keptMs = runtime.monotonicMs();
    keeping = keeping.then(() => keep());
  };
  const keep = async () => {
    const startedMs = runtime.monotonicMs();
    try {
      await keeper.save(books, reachedNow);
    } catch (error) {
      log[unlessOutage(error, 'warn')]({ err: error }, 'a snapshot of market data could not be saved');
    }
    keepingMs = runtime.monotonicMs() - startedMs;
  };

  try {
    while (!over.aborted) {
      moved = new AbortController();
      const nowSpan = spanOf(runtime.nowMs());
      if (nowSpan !== span) books.touchAll();
      span = nowSpan;
      const startedMs = runtime.monotonicMs();
      try {
        publishFrom ??= await store.head();
        if (position >= publishFrom) {
          const written = await publisher.publish(books, reachedNow(), (market) => hotValues(market, span));
          metrics.published(written);
          refusals.answered();
        }
      } catch (error) {
        refusals.failed(error);
        await sleep(runtime, RETRY_MS, over);
      }
      keepDue();
      const paceMs = (runtime.monotonicMs() - startedMs) * PUBLISH_PACE;
      await sleep(runtime, Math.min(PUBLISH_EVERY_MOST_MS, Math.max(PUBLISH_EVERY_MS, paceMs)), over);
      await sleep(runtime, CHECK_EVERY_MS, AbortSignal.any([over, moved.signal]));
    }
  } finally {
    await subscription.stop();
    await keeping;
    if (!lease.lost.aborted) await keep();
    await mayFail(lease.release(), 'it runs out by itself');
  }
}
