import {
  type BookEvent,
  type Event,
  keyOfStream,
  type MarketEvent,
  marketStream,
  mintId,
} from '@brokerx/contracts';
import type {
  Appender,
  Batch,
  EventStore,
  Feed,
  Log,
  Recorded,
  Runtime,
  Snapshots,
  Subscription,
} from '@brokerx/infra';
import { mayFail } from '@brokerx/infra';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import { hydrateMarkets } from './hydrate.ts';
import {
  evolveMarket,
  followBook,
  MARKETS_SNAPSHOT_VERSION,
  type Market,
  marketsFrom,
  marketsText,
} from './market.ts';
import { sharedReads } from './sharedReads.ts';

/**
 * All markets in memory, kept current by the feed alone, in the order of the store: what this process appended itself
 * arrives there too. A decision that must not be stale waits until the feed has reached the head.
 */
export type Markets = {
  get(symbol: string): Market | undefined;
  all(): Iterable<Market>;
  /** Looks again after reading the store to its head: for a symbol that `get` does not know. */
  find(symbol: string): Promise<Market | undefined>;
  /** Decides on the newest state and appends at most one event; `reply` when there is nothing to append. */
  execute<T>(symbol: string, decide: DecideOnMarket<T>): Promise<MarketExecuted<T>>;
  /** Position of the feed's newest batch. */
  position(): number;
  /** Waits until the feed has reached the head as of now. */
  catchUp(timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
};

export type DecideOnMarket<T> = (
  market: Market | undefined,
  commitId: string,
) => { event: MarketEvent } | { reply: T };
export type MarketExecuted<T> = ({ event: MarketEvent } | { reply: T }) & { position: number };

/** The market changed under every attempt, or the feed stands still; nothing was done. */
export class MarketBusy extends Error {
  override name = 'MarketBusy';
}

const ATTEMPTS_MAX = 5;
/** The feed is some milliseconds behind when all is well. */
const CATCH_UP_MS = 3_000;
const BATCH_EVENTS_MAX = 2_000;
const SNAPSHOT_EVERY_MS = 10_000;
const SNAPSHOT = { kind: 'markets', key: 'all', version: MARKETS_SNAPSHOT_VERSION } as const;

export async function startMarkets(options: {
  store: EventStore<Event>;
  appender: Appender<Event>;
  feed: Feed<Event>;
  snapshots: Snapshots;
  runtime: Runtime;
  log: Log;
  /** Told every book event after the start's own catching up as well as during it. */
  onBook?: (event: BookEvent) => void;
}): Promise<Markets> {
  const { store, appender, feed, snapshots, runtime, log, onBook } = options;
  const saved = await snapshots.load(SNAPSHOT, ({ state }) => marketsFrom(state));
  const { markets, cursor } = saved
    ? {
        markets: new Map(saved.state.map((market) => [market.symbol, market])),
        cursor: saved.cursor,
      }
    : await hydrateMarkets(store);
  let savedAtMs = runtime.monotonicMs();
  let saving: Promise<void> = Promise.resolve();

  const handle = async (batch: Batch<Event>) => {
    for (const recorded of batch.events) apply(recorded);
    if (runtime.monotonicMs() - savedAtMs >= SNAPSHOT_EVERY_MS) saving = save(batch.position);
  };

  const apply = ({ event, stream, revision }: Recorded<Event>) => {
    const symbol = keyOfStream(stream);
    if (!stream.startsWith('market-')) {
      const market = markets.get(symbol);
      if (market) followBook(market, event as BookEvent);
      onBook?.(event as BookEvent);
      return;
    }
    const market = markets.get(symbol);
    // A rejected batch is given again.
    if (market && revision <= market.revision) return;
    markets.set(symbol, evolveMarket(market, event as MarketEvent, revision));
  };

  const save = async (position: number) => {
    savedAtMs = runtime.monotonicMs();
    const state = marketsText(markets.values());
    try {
      await snapshots.save(SNAPSHOT, { cursor: { storeId: store.id, position }, revision: -1, state });
    } catch (err) {
      log[unlessOutage(err, 'warn')]({ err }, 'the markets could not be saved; a restart reads more');
    }
  };

  const subscription: Subscription = feed.subscribe({
    name: 'markets',
    after: cursor,
    filter: { categories: ['market', 'book'] },
    batchEventsMax: BATCH_EVENTS_MAX,
    handle,
  });
  const head = sharedReads(() => store.head());
  /** Changes of a symbol that this process is recording: only other processes are in each other's way. */
  const changing = new Map<string, Promise<void>>();
  const catchUp = async (timeoutMs: number) => {
    const position = await head();
    await subscription.reached(position, timeoutMs).catch((cause: unknown) => {
      throw new MarketBusy('the markets are not up to date', { cause });
    });
  };

  const record = async (symbol: string, commitId: string, event: MarketEvent, market: Market | undefined) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    changing.set(symbol, promise);
    try {
      const verdict = await appender.append({
        id: commitId,
        stream: marketStream(symbol),
        expectedRevision: market?.revision ?? -1,
        chained: false,
        symbol,
        events: [event],
      });
      if (verdict.verdict !== 'ok' && verdict.verdict !== 'duplicate') return null;
      // So that the next command of this client meets the market that it has just changed.
      await mayFail(subscription.reached(verdict.position, CATCH_UP_MS), 'it is recorded all the same');
      return verdict.position;
    } finally {
      changing.delete(symbol);
      resolve();
    }
  };

  const execute = async <T>(symbol: string, decide: DecideOnMarket<T>): Promise<MarketExecuted<T>> => {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; ) {
      await catchUp(CATCH_UP_MS);
      const market = markets.get(symbol);
      const commitId = mintId(runtime);
      const decision = decide(market, commitId);
      if ('reply' in decision) return { ...decision, position: subscription.position() };
      const change = changing.get(symbol);
      if (change) {
        await change;
        continue;
      }
      const position = await record(symbol, commitId, decision.event, market);
      if (position !== null) return { ...decision, position };
      attempt += 1;
    }
    throw new MarketBusy(`market ${symbol} changed under ${ATTEMPTS_MAX} attempts`);
  };

  return {
    get: (symbol) => markets.get(symbol),
    all: () => markets.values(),
    async find(symbol) {
      await catchUp(CATCH_UP_MS);
      return markets.get(symbol);
    },
    execute,
    position: () => subscription.position(),
    catchUp,
    async stop() {
      await subscription.stop();
      await saving;
      await save(subscription.position());
    },
  };
}
