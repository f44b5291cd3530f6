import type { Lease, Log } from '@brokerx/infra';
import { inputPage } from '../recovery/inputs.ts';
import { MarketBroken } from '../recovery/marketBroken.ts';
import type { Recover } from '../recovery/recover.ts';
import { LeaseLost } from '../recovery/takeOver.ts';
import { Fenced, type SymbolEngine, type SymbolEngineOptions, symbolEngine } from './symbolEngine.ts';

/**
 * The symbols of one shard in the hands of one process, for as long as it has the shard's lease. They are taken over
 * together, stop together the moment the lease is lost, and are handed over together: finished and kept, so that the
 * next owner begins where this one ended.
 */
export type Shard = {
  /** Takes the symbol over and brings it to the end of its inputs. Does nothing when that has begun before. */
  adopt(symbol: string): Promise<void>;
  /** Forgets everything at once: nothing is applied or sent any more. */
  drop(): void;
  /** Takes no more inputs, waits until all outputs are stored, and keeps snapshots. */
  finish(): Promise<void>;
};

export type ShardOptions = Omit<SymbolEngineOptions, 'onFailed'> & {
  lease: Lease;
  recover: Recover;
  /** What the process runs, of all its shards: this one adds its own symbols and takes them away again. */
  running: RunningSymbols;
  /** Called in the same breath as a symbol is added to them, which has its inputs up to this position. */
  onRunning(position: number): void;
};

export type RunningSymbols = {
  engines: Map<string, SymbolEngine>;
  /** Symbols that stand still because they could not be recovered, and why. */
  broken: Map<string, string>;
};

export function openShard(options: ShardOptions): Shard {
  const { lease, recover, running, log, onRunning } = options;
  const adopted = new Set<string>();
  /** All that were ever made, also those that are still catching up. */
  const made = new Map<string, SymbolEngine>();
  let isOver = false;

  const leave = () => {
    isOver = true;
    for (const symbol of adopted) {
      if (running.engines.get(symbol) === made.get(symbol)) running.engines.delete(symbol);
      running.broken.delete(symbol);
    }
  };
  const drop = () => {
    if (!isOver) leave();
    for (const engine of made.values()) engine.abandon();
  };
  /**
   * Somebody else wrote to a book of this shard, or it cannot be written: what this process holds of the shard is not
   * what is stored. It is dropped whole, and asked for again from the beginning, by whoever is free.
   */
  const failed = (symbol: string, err: Error) => {
    const what = err instanceof Fenced ? 'a book was fenced by a stranger' : 'a book could not be written';
    log.fatal({ err, symbol, epoch: lease.epoch }, `${what}: its shard is dropped`);
    drop();
    void lease.release();
  };

  const start = async (symbol: string): Promise<void> => {
    const mayGoOn = () => !isOver && lease.isHeld();
    const recovered = await recover(symbol, { epoch: lease.epoch, mayGoOn });
    if (!mayGoOn()) throw new LeaseLost(symbol);
    const engine = symbolEngine({ ...options, onFailed: (err) => failed(symbol, err) }, symbol, recovered);
    made.set(symbol, engine);
    let { position } = recovered;
    let caughtUp = 0;
    for (let atEnd = false; !atEnd; ) {
      const page = await inputPage(options.store, [symbol], position);
      if (!mayGoOn()) throw new LeaseLost(symbol);
      engine.take(page.inputs);
      caughtUp += page.inputs.length;
      await engine.settled();
      void engine.keepSnapshot();
      ({ position, atEnd } = page);
    }
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
        // Whoever takes the shard next begins with this symbol, too.
        if (!isOver) throw err;
      }
    },
    async finish() {
      leave();
      await Promise.all(Array.from(made.values(), (engine) => engine.keepSnapshot(true)));
      await Promise.all(Array.from(made.values(), (engine) => engine.settled()));
      drop();
    },
  };
}

function noteBroken({ broken }: RunningSymbols, log: Log, symbol: string, err: MarketBroken): void {
  broken.set(symbol, err.message);
  log.fatal({ err, symbol }, 'this market is stopped: its engine could not be recovered');
}
