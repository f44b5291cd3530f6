import { type BookEvent, bookStream, type Event } from '@brokerx/contracts';
import type { EventStore, Recorded } from '@brokerx/infra';
import { heardElsewhere } from '@brokerx/infra';
import { PAGE_EVENTS_MAX } from './inputs.ts';
import { MarketBroken } from './marketBroken.ts';

/** What a book says from one revision to another, one output after the other, without the marks of take-overs. */
export type BookReader = {
  /** Null after the last. */
  output(): Recorded<BookEvent> | null;
  /** Goes on to the next; where this is not true, `turned` is to be awaited before it can be looked at. */
  next(): boolean;
  turned(): Promise<void>;
};

/** Each page is read while the one before is worked on: few waits, for outputs are many. */
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
    // Whoever stops before the end does not want to know.
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
    async turned() {
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
