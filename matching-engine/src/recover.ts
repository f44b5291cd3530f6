import { type BookFact, bookStream, type Event, mintId, seal, timeOf } from '@brokerx/contracts';
import { type Appender, mintTraceparent, type Runtime } from '@brokerx/infra';
import { bookReader } from './bookReader.ts';
import { KNOWN_MATCHING_RULES } from './engine.ts';
import { inputsTogether } from './inputs.ts';
import { ENGINE_ACTOR } from './outputs.ts';
import { type Beginning, beginning, type Replayed, type ReplayOptions, replay } from './replay.ts';

/**
 * How an engine takes a symbol over: first it fences whoever ran it before, with `EngineStarted` at the book's very
 * end; from then on nobody else can add to the book. Then it replays what is there.
 */
export type RecoverOptions = ReplayOptions & {
  appender: Appender<Event>;
  runtime: Runtime;
};

/** Under which right a symbol is taken over. */
export type Tenure = {
  /** Of the lease. */
  epoch: number;
  /** Whether the lease is still held, by the clock of this moment. */
  mayGoOn(): boolean;
};

/** `revision`: of the book's last event. */
export type Recovered = Replayed & { revision: number };

/** A stranger that appends between our look and our append is met at most a few times. */
const TAKE_OVER_ATTEMPTS_MAX = 10;

/** The symbol is another process's by now, or nobody's. */
export class LeaseLost extends Error {
  override name = 'LeaseLost';
  constructor(symbol: string) {
    super(`the lease of the shard of ${symbol} was lost`);
  }
}

/** Rejects with `MarketBroken`, `LeaseLost`, or what the store throws. */
export type Recover = (symbol: string, tenure: Tenure) => Promise<Recovered>;

/**
 * Symbols in one pass over the inputs: each holds two pages of its book, some MB. And how far their snapshots may lie
 * apart for it: what one has already is read and left.
 */
const TOGETHER_SYMBOLS_MAX = 16;
const TOGETHER_POSITIONS_MAX = 20_000;

/** Those that are asked for while others are under way wait, and are then recovered together. */
export function recovery(options: RecoverOptions): Recover {
  let waiting: Waiting[] = [];
  let running = false;

  const run = async () => {
    while (waiting.length > 0) {
      const taken = await Promise.all(waiting.splice(0).map((one) => ready(one)));
      for (const group of groupsOf(taken.filter((one) => one !== null))) await replayTogether(group);
    }
    running = false;
  };

  const ready = async (one: Waiting): Promise<Ready | null> => {
    try {
      const revision = await takeOver(options, one);
      return { ...one, revision, begin: await beginning(options, one.symbol, revision) };
    } catch (error) {
      one.reject(error);
      return null;
    }
  };

  const replayTogether = async (group: Ready[]): Promise<void> => {
    const { store } = options;
    const symbols = group.map(({ symbol }) => symbol);
    const inputs = inputsTogether(store, symbols, Math.min(...group.map(({ begin }) => begin.position)));
    const each = async ({ symbol, begin, revision, resolve, reject }: Ready) => {
      try {
        const book = bookReader(store, symbol, begin.revision + 1, revision);
        resolve({ ...(await replay(begin, book, inputs.of(symbol))), revision });
      } catch (error) {
        reject(error);
      } finally {
        inputs.leave(symbol);
      }
    };
    await Promise.all(group.map(each));
  };

  return (symbol, tenure) =>
    new Promise((resolve, reject) => {
      waiting.push({ symbol, tenure, resolve, reject });
      // In the next breath: who is asked for together is recovered together.
      if (!running) void Promise.resolve().then(run);
      running = true;
    });
}

type Waiting = {
  symbol: string;
  tenure: Tenure;
  resolve(recovered: Recovered): void;
  reject(error: unknown): void;
};
type Ready = Waiting & { revision: number; begin: Beginning };

/** Those that begin close to each other. */
function groupsOf(all: readonly Ready[]): Ready[][] {
  const groups: Ready[][] = [];
  for (const one of all.toSorted((a, b) => a.begin.position - b.begin.position)) {
    const group = groups.at(-1);
    const from = group?.[0]?.begin.position ?? 0;
    const fits =
      group && group.length < TOGETHER_SYMBOLS_MAX && one.begin.position - from <= TOGETHER_POSITIONS_MAX;
    if (fits) group.push(one);
    else groups.push([one]);
  }
  return groups;
}

/**
 * Puts `EngineStarted` at the end of the book; returns its revision. A process that slept on the way must not fence
 * the one that has the shard by now, so it looks at its lease last.
 */
async function takeOver(
  { store, appender, runtime }: RecoverOptions,
  { symbol, tenure: { epoch, mayGoOn } }: Pick<Waiting, 'symbol' | 'tenure'>,
): Promise<number> {
  const stream = bookStream(symbol);
  for (let attempt = 1; attempt <= TAKE_OVER_ATTEMPTS_MAX; attempt++) {
    const expectedRevision = await store.streamRevision(stream);
    if (!mayGoOn()) throw new LeaseLost(symbol);
    const id = mintId(runtime);
    const started: BookFact = {
      type: 'EngineStarted.v1',
      data: { epoch, matchingRules: Math.max(...KNOWN_MATCHING_RULES) },
    };
    const cause = {
      time: timeOf(runtime.nowMs()),
      actor: ENGINE_ACTOR,
      correlationId: id,
      causationId: id,
      traceparent: mintTraceparent(runtime),
    };
    const events = seal(id, cause, [started]);
    const verdict = await appender.append({
      id,
      stream,
      expectedRevision,
      chained: false,
      symbol: null,
      events,
    });
    if (verdict.verdict === 'ok' || verdict.verdict === 'duplicate') return verdict.revision;
  }
  throw new Error(`${stream}: somebody else kept writing during ${TAKE_OVER_ATTEMPTS_MAX} take-overs`);
}
