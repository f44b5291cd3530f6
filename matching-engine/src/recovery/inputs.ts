import { type EngineInput, type Event, isEngineInput } from '@brokerx/contracts';
import type { EventStore, Recorded } from '@brokerx/infra';
import { heardElsewhere } from '@brokerx/infra';

/** A symbol's inputs as the store has them: orders, amendments and cancels of accounts, and events of its market. */
export type Inputs = Recorded<EngineInput>[];

export const isInput = (recorded: Recorded<Event>): recorded is Recorded<EngineInput> =>
  recorded.symbol !== null && isEngineInput(recorded.event);

/** The most events in one read. Small pages are used up while young, which keeps garbage collection cheap. */
export const PAGE_EVENTS_MAX = 1_000;

/** A page of the inputs of these symbols after a position. */
export async function inputPage(store: EventStore<Event>, symbols: readonly string[], after: number) {
  const page = await store.readAll(after, { symbols }, PAGE_EVENTS_MAX);
  return { inputs: page.events.filter(isInput), position: page.position, atEnd: page.atEnd };
}

/**
 * Reads the inputs of several symbols after a position, up to the end of the store, in one pass for all of them: their
 * inputs are interleaved, so that a pass for each would read all the others' as well. `of` yields the inputs of one
 * symbol and may be called once for each. The symbols move from page to page together; one that stops must `leave`.
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
    finished: new Set(),
    turned: Promise.withResolvers(),
  });
  // A page read ahead may fail before anything awaits it; the error is thrown where the page is awaited.
  const ahead = (page: Promise<SharedPage>) => {
    heardElsewhere(page);
    return page;
  };
  let leaf = newLeaf(ahead(read(after)));
  let coming: Promise<SharedPage> | null = null;

  /** Turns the page for all symbols, once the last of them has finished with it. */
  const turn = () => {
    if (!coming || [...reading].some((symbol) => !leaf.finished.has(symbol))) return;
    const { turned } = leaf;
    leaf = newLeaf(coming);
    coming = null;
    turned.resolve();
  };

  return {
    async *of(symbol) {
      for (;;) {
        const { page, finished, turned } = leaf;
        const { inputs, position, atEnd } = await page;
        // The next page is read while this one is being applied.
        if (!atEnd) coming ??= ahead(read(position));
        const own = inputs.get(symbol);
        if (own) yield own;
        if (atEnd) return;
        finished.add(symbol);
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
/** A page in use; `finished` are the symbols that are done with it. */
type Leaf = { page: Promise<SharedPage>; finished: Set<string>; turned: PromiseWithResolvers<void> };
