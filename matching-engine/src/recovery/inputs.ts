import { type EngineInput, type Event, isEngineInput } from '@brokerx/contracts';
import type { EventStore, Recorded } from '@brokerx/infra';
import { heardElsewhere } from '@brokerx/infra';

/** A symbol's inputs as the store has them: orders, changes and cancels of accounts, and what markets say. */
export type Inputs = Recorded<EngineInput>[];

export const isInput = (recorded: Recorded<Event>): recorded is Recorded<EngineInput> =>
  recorded.symbol !== null && isEngineInput(recorded.event);

/** Events in one read: what is read ahead is still young when it has been worked on, which spares the collector. */
export const PAGE_EVENTS_MAX = 1_000;

/** A page of the inputs of some symbols; others are not read. */
export async function inputPage(store: EventStore<Event>, symbols: readonly string[], after: number) {
  const page = await store.readAll(after, { symbols }, PAGE_EVENTS_MAX);
  return { inputs: page.events.filter(isInput), position: page.position, atEnd: page.atEnd };
}

/**
 * The inputs of several symbols after a position, up to the end of the store, read once for all of them: they lie
 * between each other, and a pass for each would meet the others' every time. Each is given its own by `of`, once; they
 * go on together, a page at a time, and whoever has seen enough must leave.
 */
export function inputsTogether(
  store: EventStore<Event>,
  symbols: readonly string[],
  after: number,
): { of(symbol: string): AsyncGenerator<Inputs>; leave(symbol: string): void } {
  const reading = new Set(symbols);
  const read = async (from: number): Promise<SharedPage> => {
    const { inputs, position, atEnd } = await inputPage(store, symbols, from);
    return { inputs: Map.groupBy(inputs, ({ symbol }) => symbol ?? ''), position, atEnd };
  };
  const newLeaf = (page: Promise<SharedPage>): Leaf => ({
    page,
    left: new Set(),
    turned: Promise.withResolvers(),
  });
  // A page that nobody has asked for yet may fail without anybody knowing; whoever asks is told.
  const ahead = (page: Promise<SharedPage>) => {
    heardElsewhere(page);
    return page;
  };
  let leaf = newLeaf(ahead(read(after)));
  let coming: Promise<SharedPage> | null = null;

  /** The last one to leave a page turns it for all. */
  const turn = () => {
    if (!coming || [...reading].some((symbol) => !leaf.left.has(symbol))) return;
    const { turned } = leaf;
    leaf = newLeaf(coming);
    coming = null;
    turned.resolve();
  };

  return {
    async *of(symbol) {
      for (;;) {
        const { page, left, turned } = leaf;
        const { inputs, position, atEnd } = await page;
        // The next page is read while this one is worked on.
        if (!atEnd) coming ??= ahead(read(position));
        const own = inputs.get(symbol);
        if (own) yield own;
        if (atEnd) return;
        left.add(symbol);
        turn();
        await turned.promise;
      }
    },
    leave(symbol) {
      reading.delete(symbol);
      turn();
    },
  };
}

type SharedPage = { inputs: Map<string, Inputs>; position: number; atEnd: boolean };
/** `left`: by the symbols that have done with it. */
type Leaf = { page: Promise<SharedPage>; left: Set<string>; turned: PromiseWithResolvers<void> };
