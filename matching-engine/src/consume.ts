import type { Event } from '@brokerx/contracts';
import type { Batch, Feed, Subscription } from '@brokerx/infra';
import { discover } from './discover.ts';
import { inputPage, isInput, MarketBroken, recover } from './recover.ts';
import { type SymbolEngine, type SymbolEngineOptions, symbolEngine } from './symbolEngine.ts';

/**
 * An engine process: takes over every symbol, brings each up to date by itself, and then follows one feed for all.
 * A symbol that is listed later begins with its first event.
 */
export type MatchingEngine = {
  /** Resolves when it cannot go on: another engine has taken over, or the store is gone. The process must exit. */
  readonly failed: Promise<Error>;
  /** By symbol: `ok`, or why it stands still. */
  markets(): Record<string, string>;
  /** Inputs applied whose outputs are not known to be stored. */
  unacknowledged(): number;
  /** Resolves when every input up to the position is applied and its outputs are stored. */
  reached(position: number, timeoutMs: number): Promise<void>;
  /** Finishes what is on its way and keeps snapshots. */
  stop(): Promise<void>;
};

export type ConsumeOptions = Omit<SymbolEngineOptions, 'onFailed'> & {
  feed: Feed<Event>;
  /** Of the lease under which this process runs its symbols. */
  epoch: number;
};

/** Inputs applied whose outputs are not stored yet, over all symbols: about half a second of work to lose and redo. */
export const UNACKNOWLEDGED_INPUTS_MAX = 5_000;
/** Inputs in a batch: a few milliseconds of matching. */
const BATCH_INPUTS_MAX = 1_000;
/** Each recovery reads pages of its own, ahead of its work: two keep the thread busy. */
const RECOVERIES_AT_ONCE = 2;

/** Throws `UnknownMatchingRules` where a symbol follows rules that this engine lacks: it must not start. */
export async function consume(options: ConsumeOptions): Promise<MatchingEngine> {
  const { store, feed, snapshots, log, metrics } = options;
  const engines = new Map<string, SymbolEngine>();
  /** Symbols whose recovery failed, and why. */
  const unrecovered = new Map<string, string>();
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();
  let ended = false;
  const onFailed = (error: Error) => {
    ended = true;
    fail(error);
  };
  const unacknowledged = () => sum(engines.values(), (engine) => engine.unacknowledged());

  const everyEngine = (work: (engine: SymbolEngine) => Promise<void>) =>
    Promise.all(Array.from(engines.values(), work));

  const own = async (symbol: string): Promise<void> => {
    try {
      const engine = await start({ ...options, onFailed }, symbol, options.epoch);
      engines.set(symbol, engine);
    } catch (error) {
      if (!(error instanceof MarketBroken)) throw error;
      unrecovered.set(symbol, error.message);
      log.fatal({ err: error, symbol }, 'this market is stopped: its engine could not be recovered');
    }
  };

  const handle = async ({ events }: Batch<Event>): Promise<void> => {
    const bySymbol = Map.groupBy(events.filter(isInput), ({ symbol }) => symbol ?? '');
    for (const [symbol, inputs] of bySymbol) {
      if (!engines.has(symbol) && !unrecovered.has(symbol)) await own(symbol);
      if (ended) return;
      const engine = engines.get(symbol);
      engine?.take(inputs);
      void engine?.keepSnapshot();
    }
    metrics.inputs.inc(events.length);
    if (unacknowledged() > UNACKNOWLEDGED_INPUTS_MAX) await everyEngine((engine) => engine.settled());
  };

  const { symbols, position } = await discover(store, snapshots);
  const waiting = symbols.values();
  const recoverNext = async () => {
    for (const symbol of waiting) await own(symbol);
  };
  await Promise.all(Array.from({ length: RECOVERIES_AT_ONCE }, recoverNext));
  const subscription: Subscription = feed.subscribe({
    name: 'matching-engine',
    // Every symbol was brought at least here by itself, and drops what it knows already.
    after: { storeId: store.id, position },
    filter: { categories: ['account', 'market'], symbols: 'any' },
    batchEventsMax: BATCH_INPUTS_MAX,
    handle,
  });
  metrics.watch({
    openOrders: () => sum(engines.values(), (engine) => engine.openOrders()),
    unacknowledgedInputs: unacknowledged,
    markets: () => engines.size + unrecovered.size,
    brokenMarkets: () => unrecovered.size + sum(engines.values(), (engine) => (engine.broken() ? 1 : 0)),
    lagPositions: () => Math.max(0, feed.head() - subscription.position()),
  });
  log.info({ markets: engines.size, broken: unrecovered.size, position }, 'matching');

  return {
    failed,
    unacknowledged,
    markets: () => ({
      ...Object.fromEntries(
        Array.from(engines.values(), (engine) => [engine.symbol, engine.broken() ?? 'ok']),
      ),
      ...Object.fromEntries(unrecovered),
    }),
    async reached(position, timeoutMs) {
      await subscription.reached(position, timeoutMs);
      await everyEngine((engine) => engine.settled());
    },
    async stop() {
      await subscription.stop();
      if (!ended) await everyEngine((engine) => engine.keepSnapshot(true));
      await everyEngine((engine) => engine.settled());
    },
  };
}

/** Takes a symbol over and brings it to the end of its inputs, reading it by itself. */
async function start(options: SymbolEngineOptions, symbol: string, epoch: number): Promise<SymbolEngine> {
  const recovered = await recover(options, symbol, epoch);
  const engine = symbolEngine(options, symbol, recovered);
  let caughtUp = 0;
  for (let after = recovered.position, atEnd = false; !atEnd; ) {
    const page = await inputPage(options.store, symbol, after);
    engine.take(page.inputs);
    caughtUp += page.inputs.length;
    await engine.settled();
    void engine.keepSnapshot();
    ({ position: after, atEnd } = page);
  }
  const { position, replayed } = recovered;
  options.log.info({ symbol, epoch, position, replayed, caughtUp }, 'a market is taken over');
  return engine;
}

function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}
