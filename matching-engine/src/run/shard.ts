import type { Lease, Log } from '@brokerx/infra';
import { inputPage } from '../recovery/inputs.ts';
import { MarketBroken } from '../recovery/marketBroken.ts';
import type { Recover } from '../recovery/recover.ts';
import { LeaseLost } from '../recovery/takeOver.ts';
import { Fenced, type SymbolEngine, type SymbolEngineOptions, symbolEngine } from './symbolEngine.ts';

/**
 * The symbols of one shard, run by the process that holds the shard's lease. The process takes them over together and
 * stops them together the moment it loses the lease. When it hands the shard over, it stores all outputs and saves
 * snapshots first, so that the next owner begins where this one ended.
 */
export type Shard = {
  /** Takes the symbol over and applies all its inputs so far. Does nothing if that has begun before. */
  adopt(symbol: string): Promise<void>;
  /** Stops all symbols at once: nothing is applied or sent any more. */
  drop(): void;
  /** Takes no more inputs, waits until all outputs are stored, and saves snapshots. */
  finish(): Promise<void>;
};

export type ShardOptions = Omit<SymbolEngineOptions, 'onFailed'> & {
  lease: Lease;
  recover: Recover;
  /** The running symbols of all shards of this process. This shard adds its symbols and removes them again. */
  running: RunningSymbols;
  /** Called synchronously after a symbol was added to `running`, with all its inputs up to this position applied. */
  onRunning(position: number): void;
};

export type RunningSymbols = {
  engines: Map<string, SymbolEngine>;
  /** Symbols that could not be recovered, and why. */
  broken: Map<string, string>;
};

export function openShard(options: ShardOptions): Shard {
  const { lease, recover, running, log, onRunning } = options;
  const adopted = new Set<string>();
  /** All engines of this shard, also those that are still catching up. */
  const started = new Map<string, SymbolEngine>();
  let isOver = false;

  const removeFromRunning = () => {
    isOver = true;
    for (const symbol of adopted) {
      if (running.engines.get(symbol) === started.get(symbol)) running.engines.delete(symbol);
      running.broken.delete(symbol);
    }
  };
  const drop = () => {
    if (!isOver) removeFromRunning();
    for (const engine of started.values()) engine.abandon();
  };
  /**
   * Another process wrote to a book of this shard, or the book cannot be written: this process's state is not what is
   * stored. It drops the whole shard and releases the lease, so that any process may recover the shard.
   */
  const onFailed = (symbol: string, err: Error) => {
    const what = err instanceof Fenced ? 'a book was fenced by a stranger' : 'a book could not be written';
    log.fatal({ err, symbol, epoch: lease.epoch }, `${what}: its shard is dropped`);
    drop();
    void lease.release();
  };

  const start = async (symbol: string): Promise<void> => {
    const mayGoOn = () => !isOver && lease.isHeld();
    const recovered = await recover(symbol, { epoch: lease.epoch, mayGoOn });
    if (!mayGoOn()) throw new LeaseLost(symbol);
    const engine = symbolEngine({ ...options, onFailed: (err) => onFailed(symbol, err) }, symbol, recovered);
    started.set(symbol, engine);
    const { position, caughtUp } = await catchUp(options.store, engine, recovered.position, mayGoOn);
    if (!mayGoOn()) throw new LeaseLost(symbol);
    running.engines.set(symbol, engine);
    onRunning(position);
    const { replayed } = recovered;
    log.info({ symbol, epoch: lease.epoch, position, replayed, caughtUp }, 'a market is taken over');
  };

  return {
    drop,
    async adopt(symbol) {
      if (isOver || adopted.has(symbol)) return;
      adopted.add(symbol);
      try {
        await start(symbol);
      } catch (err) {
        if (err instanceof MarketBroken && !isOver) return noteBroken(running, log, symbol, err);
        adopted.delete(symbol);
        // The next owner of the shard recovers this symbol, too.
        if (!isOver) throw err;
      }
    },
    async finish() {
      removeFromRunning();
      await Promise.all(Array.from(started.values(), (engine) => engine.saveSnapshot(true)));
      await Promise.all(Array.from(started.values(), (engine) => engine.allStored()));
      drop();
    },
  };
}

/** Applies the inputs after a position, up to the end of the store. */
async function catchUp(
  store: ShardOptions['store'],
  engine: SymbolEngine,
  after: number,
  mayGoOn: () => boolean,
): Promise<{ position: number; caughtUp: number }> {
  let position = after;
  let caughtUp = 0;
  for (let atEnd = false; !atEnd; ) {
    const page = await inputPage(store, [engine.symbol], position);
    if (!mayGoOn()) throw new LeaseLost(engine.symbol);
    engine.take(page.inputs);
    caughtUp += page.inputs.length;
    await engine.allStored();
    void engine.saveSnapshot();
    ({ position, atEnd } = page);
  }
  return { position, caughtUp };
}

function noteBroken({ broken }: RunningSymbols, log: Log, symbol: string, err: MarketBroken): void {
  broken.set(symbol, err.message);
  log.fatal({ err, symbol }, 'this market is stopped: its engine could not be recovered');
}
