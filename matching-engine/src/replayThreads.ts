import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { bookStream } from '@brokerx/contracts';
import type { AdapterSettings, LogLevel } from '@brokerx/infra';
import { UnknownMatchingRules } from './engine.ts';
import { type PackedState, SNAPSHOT_KIND, SNAPSHOT_VERSION, unpacked } from './packedState.ts';
import { MarketBroken, type Replayed, replay } from './replay.ts';

/**
 * Replays a long past in a thread of its own, so that a first start uses all cores, one symbol each. A thread reads
 * and compares by itself and hands over the state that comes of it, as a snapshot. A short past is replayed in place:
 * a thread takes some 300 ms to start.
 */
export function replayThreads(settings: AdapterSettings, outputsMin = THREAD_OUTPUTS_MIN): typeof replay {
  return async (options, symbol, revision) => {
    const { store, snapshots, log } = options;
    const kept = await snapshots.load({ kind: SNAPSHOT_KIND, key: symbol, version: SNAPSHOT_VERSION });
    if (revision - (kept?.revision ?? -1) < outputsMin) return replay(options, symbol, revision);
    log.info({ stream: bookStream(symbol), revision }, 'a long past is replayed in a thread');
    const thread = new Worker(new URL('./replayThread.ts', import.meta.url), {
      workerData: {
        settings,
        storeId: store.id,
        symbol,
        revision,
        level: log.level as LogLevel,
      } satisfies ThreadTask,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    const told = await resultOf(thread);
    if ('broken' in told) throw new MarketBroken(told.broken, { cause: told.cause });
    if ('unknownRules' in told) throw new UnknownMatchingRules(told.unknownRules);
    const { packed, ...rest } = told;
    return { ...rest, engine: unpacked(packed) };
  };
}

/** Outputs after the newest snapshot, about a second of work. */
const THREAD_OUTPUTS_MIN = 20_000;

/** What it throws unforeseen rejects. */
async function resultOf(thread: Worker): Promise<ThreadResult> {
  const ended = new AbortController();
  const message = once(thread, 'message', ended) as Promise<[ThreadResult]>;
  const exit = once(thread, 'exit', ended).then(([code]) => {
    throw new Error(`a replaying thread ended with exit code ${code}`);
  });
  try {
    return (await Promise.race([message, exit]))[0];
  } finally {
    ended.abort();
    await Promise.allSettled([message, exit]);
  }
}

/** Pages die young: with room for several of them the collector copies less, which saves a tenth of the work. */
const YOUNG_GENERATION_MB = 64;

export type ThreadTask = {
  settings: AdapterSettings;
  storeId: string;
  symbol: string;
  revision: number;
  level: LogLevel;
};
export type ThreadResult =
  | (Omit<Replayed, 'engine'> & { packed: PackedState })
  | { broken: string; cause: unknown }
  | { unknownRules: string };
