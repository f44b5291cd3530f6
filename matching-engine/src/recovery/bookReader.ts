import { type BookEvent, bookStream, type Event } from '@brokerx/contracts';
import type { EventStore, Recorded } from '@brokerx/infra';
import { heardElsewhere } from '@brokerx/infra';
import { PAGE_EVENTS_MAX } from './inputs.ts';
import { MarketBroken } from './marketBroken.ts';

/** Reads the outputs of a book from one revision to another, one by one, without the `EngineStarted` events. */
export type BookReader = {
  /** The current output; null after the last. */
  output(): Recorded<BookEvent> | null;
  /** Moves to the next output. When this returns false, await `nextPage` before calling `output`. */
  next(): boolean;
  /** Loads the next page; needed before the first output, too. */
  nextPage(): Promise<void>;
};

/** Each page is read while the one before is compared, so that the replay seldom waits. */
export function bookReader(store: EventStore<Event>, symbol: string, from: number, to: number): BookReader {
  const stream = bookStream(symbol);
  const read = async (revision: number) => {
    const events = await store.readStream(stream, revision, PAGE_EVENTS_MAX);
    const last = events.at(-1);
    if (!last) throw new MarketBroken(`${stream}: nothing at revision ${revision}`);
    return { outputs: events.filter((recorded) => isOutput(recorded, to)), next: last.revision + 1 };
  };
  const ahead = (revision: number) => {
    if (revision > to) return null;
    const page = read(revision);
    // A replay that stops early never awaits this page.
    heardElsewhere(page);
    return page;
  };
  let coming = ahead(from);
  let outputs: Recorded<BookEvent>[] = [];
  let at = 0;

  return {
    output: () => outputs[at] ?? null,
    next() {
      at += 1;
      return at < outputs.length;
    },
    async nextPage() {
      outputs = [];
      at = 0;
      while (outputs.length === 0 && coming) {
        const page = await coming;
        coming = ahead(page.next);
        outputs = page.outputs;
      }
    },
  };
}

const isOutput = (recorded: Recorded<Event>, to: number): recorded is Recorded<BookEvent> =>
  recorded.revision <= to && recorded.event.type !== 'EngineStarted.v1';
