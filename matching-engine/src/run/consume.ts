import { type Event, SHARDS, shardOf } from '@brokerx/contracts';
import {
  type Batch,
  type Feed,
  fairShare,
  type Lease,
  type Leases,
  movableSubscription,
} from '@brokerx/infra';
import { isInput } from '../recovery/inputs.ts';
import { recovery } from '../recovery/recover.ts';
import { assertKnownRules, discover } from './discover.ts';
import { openShard, type RunningSymbols, type Shard } from './shard.ts';
import type { SymbolEngine, SymbolEngineOptions } from './symbolEngine.ts';

/**
 * An engine process. It owns its fair share of the shards, runs all their symbols, and follows one feed for all of
 * them. Each symbol of a newly owned shard first catches up by itself; a symbol listed later begins with its first event.
 */
export type MatchingEngine = {
  /** Resolves when the process must exit: a symbol follows matching rules that this engine lacks. */
  readonly failed: Promise<Error>;
  /** Whether the process has owned its share of the shards once. */
  isReady(): boolean;
  shards(): string[];
  /** For each symbol `ok`, or why its market is stopped. */
  markets(): Record<string, string>;
  /** The number of applied inputs whose outputs are not known to be stored. */
  unacknowledged(): number;
  /** Every input of the process's symbols up to this position is applied. */
  position(): number;
  /** Resolves when the outputs of all applied inputs are stored. */
  allStored(): Promise<void>;
  /** Waits for the outputs on their way, saves snapshots, and releases the shards. */
  stop(): Promise<void>;
};

export type ConsumeOptions = Omit<SymbolEngineOptions, 'onFailed'> & {
  /** The feed of engine inputs, which is read by symbol. */
  feed: Feed<Event>;
  /** The feed of listings of all symbols. Defaults to `feed`. */
  listings?: Feed<Event>;
  leases: Leases;
};

/** The most applied inputs whose outputs are not stored yet, over all symbols: half a second of work to lose and redo. */
const UNACKNOWLEDGED_INPUTS_MAX = 5_000;
/** The most inputs in a batch: a few milliseconds of matching. */
const BATCH_INPUTS_MAX = 1_000;
/** The prefix of the names of the shards' leases, and of the engines as members. */
const ROLE = 'engine';

/** Throws `UnknownMatchingRules` if a symbol follows rules that this engine lacks: it must not start. */
export async function consume(options: ConsumeOptions): Promise<MatchingEngine> {
  const { store, feed, listings = feed, snapshots, leases, runtime, log, metrics } = options;
  const shards = new Map<string, Shard>();
  const running: RunningSymbols = { engines: new Map(), broken: new Map() };
  const { engines, broken } = running;
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();
  const recover = recovery(options);
  const unacknowledged = () => sum(engines.values(), (engine) => engine.unacknowledged());
  const everyEngine = (work: (engine: SymbolEngine) => Promise<void>) =>
    Promise.all(Array.from(engines.values(), work));

  const handle = async (subscribed: Map<string, SymbolEngine>, { events }: Batch<Event>): Promise<void> => {
    const bySymbol = Map.groupBy(events.filter(isInput), ({ symbol }) => symbol ?? '');
    for (const [symbol, inputs] of bySymbol) {
      const engine = subscribed.get(symbol);
      // The process may have lost or restarted the symbol since: then another subscription has its inputs.
      if (!engine || engines.get(symbol) !== engine) continue;
      engine.take(inputs);
      void engine.saveSnapshot();
    }
    metrics.inputs.inc(events.length);
    if (unacknowledged() > UNACKNOWLEDGED_INPUTS_MAX) await everyEngine((engine) => engine.allStored());
  };

  // A symbol catches up by itself before the subscription includes it, and ignores inputs that it has applied already.
  const inputs = movableSubscription<Event>(feed, store.id, {
    name: 'matching-engine',
    batchEventsMax: BATCH_INPUTS_MAX,
    begin() {
      if (engines.size === 0) return null;
      const subscribed = new Map(engines);
      const filter = { categories: ['account', 'market'], symbols: [...subscribed.keys()].sort() };
      return { filter, handle: (batch) => handle(subscribed, batch) };
    },
  });
  let moved = Promise.resolve();
  const onRunning = (position: number) => {
    moved = inputs.move(position);
  };

  const ownShard = async (unit: string, lease: Lease) => {
    const shard = openShard({ ...options, lease, recover, running, onRunning });
    shards.set(unit, shard);
    const forget = () => {
      if (shards.get(unit) === shard) shards.delete(unit);
      void inputs.move();
    };
    lease.lost.addEventListener(
      'abort',
      () => {
        shard.drop();
        forget();
      },
      { once: true },
    );
    const own = [...listed].filter((symbol) => shardOf(symbol) === unit);
    await Promise.all(own.map((symbol) => shard.adopt(symbol)));
    await moved;
    return async () => {
      if (!lease.isHeld()) return;
      forget();
      await shard.finish();
    };
  };

  const { symbols: listed, position } = await discover(store, snapshots);
  const newcomers = listings.subscribe({
    name: 'listings',
    after: { storeId: store.id, position },
    filter: { categories: ['market'], symbols: 'any', types: ['SymbolListed.v1'] },
    batchEventsMax: BATCH_INPUTS_MAX,
    async handle({ events }) {
      for (const { event } of events) {
        if (event.type !== 'SymbolListed.v1') continue;
        const { symbol, matchingRules } = event.data;
        try {
          assertKnownRules(symbol, matchingRules);
        } catch (error) {
          return fail(error as Error);
        }
        listed.add(symbol);
        await shards.get(shardOf(symbol))?.adopt(symbol);
      }
      await moved;
    },
  });
  const share = fairShare({ leases, runtime, log, role: ROLE, units: SHARDS, takeUp: ownShard });
  metrics.watch({
    openOrders: () => sum(engines.values(), (engine) => engine.openOrders()),
    unacknowledgedInputs: unacknowledged,
    shards: () => shards.size,
    markets: () => engines.size + broken.size,
    brokenMarkets: () => broken.size + sum(engines.values(), (engine) => (engine.broken() ? 1 : 0)),
    lagPositions: () => Math.max(0, feed.head() - (inputs.position() ?? feed.head())),
  });

  return {
    failed,
    unacknowledged,
    isReady: share.isReady,
    shards: () => [...shards.keys()],
    markets: () => ({
      ...Object.fromEntries(
        Array.from(engines.values(), (engine) => [engine.symbol, engine.broken() ?? 'ok']),
      ),
      ...Object.fromEntries(broken),
    }),
    position: () => Math.min(newcomers.position(), inputs.position() ?? Number.POSITIVE_INFINITY),
    async allStored() {
      await everyEngine((engine) => engine.allStored());
    },
    async stop() {
      await newcomers.stop();
      await share.stop();
      await inputs.stop();
    },
  };
}

function sum<T>(items: Iterable<T>, amount: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += amount(item);
  return total;
}
