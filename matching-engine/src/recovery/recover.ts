import { bookReader } from './bookReader.ts';
import { inputsTogether } from './inputs.ts';
import { type Beginning, beginning, type Replayed, type ReplayOptions, replay } from './replay.ts';
import { type TakeOverOptions, type Tenure, takeOver } from './takeOver.ts';

/** Recovers the engine of a symbol: takes the book over, then replays the inputs after the last snapshot. */
export type RecoverOptions = ReplayOptions & TakeOverOptions;

/** `revision` is that of the book's last event. */
export type Recovered = Replayed & { revision: number };

/** Rejects with `MarketBroken`, `LeaseLost`, or an error of the store. */
export type Recover = (symbol: string, tenure: Tenure) => Promise<Recovered>;

/** The most symbols recovered in one pass over the inputs. Each holds two pages of its book in memory, some MB. */
const TOGETHER_SYMBOLS_MAX = 16;
/** The most positions between their snapshots: a symbol ignores the inputs that its snapshot already contains. */
const TOGETHER_POSITIONS_MAX = 20_000;

/** Symbols requested while others are being recovered wait, and are then recovered together. */
export function recovery(options: RecoverOptions): Recover {
  const waiting: Waiting[] = [];
  let running = false;

  const run = async () => {
    while (waiting.length > 0) {
      const batch = await Promise.all(waiting.splice(0).map((one) => prepare(one)));
      for (const group of groupsOf(batch.filter((one) => one !== null))) await replayTogether(group);
    }
    running = false;
  };

  const prepare = async (one: Waiting): Promise<Ready | null> => {
    try {
      const revision = await takeOver(options, one.symbol, one.tenure);
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
      // A microtask later, so that symbols requested together are recovered together.
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

/** Groups of symbols whose replays begin close to each other. */
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
