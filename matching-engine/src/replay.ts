import { isDeepStrictEqual } from 'node:util';
import {
  type BookEvent,
  type BookFact,
  bookStream,
  type EngineInput,
  type Event,
  isEngineInput,
} from '@brokerx/contracts';
import type { EventStore, Log, Recorded, Snapshots } from '@brokerx/infra';
import { apply, type Engine, newEngine, outputTime, UnknownMatchingRules } from './engine.ts';
import { SNAPSHOT_KIND, SNAPSHOT_VERSION, unpacked } from './packedState.ts';

/**
 * How an engine comes to know what its symbol's past made of it: it restores the newest snapshot and applies the
 * inputs after it again. What the book already says of them must come out again, word for word.
 */
export type ReplayOptions = { store: EventStore<Event>; snapshots: Snapshots; log: Log };

export type Replayed = {
  engine: Engine;
  /** Position of the last input applied; 0 before the first. */
  position: number;
  /** Inputs applied again. */
  replayed: number;
  /** The last input's outputs that the book does not have yet: its commits were cut, and the last ones lost. */
  missing: { input: Recorded<EngineInput>; facts: BookFact[]; time: string } | null;
};

/** This symbol cannot go on: the engine failed, or says something else than the book. */
export class MarketBroken extends Error {
  override name = 'MarketBroken';
}

/** Events in one read: what is read ahead is still young when it has been worked on, which spares the collector. */
const PAGE_EVENTS_MAX = 500;

/** Up to the output at `revision` of the book. Throws `MarketBroken`, or what the store throws. */
export async function replay(options: ReplayOptions, symbol: string, revision: number): Promise<Replayed> {
  const { store } = options;
  const begin = await beginning(options, symbol, revision);
  const { engine } = begin;
  const stored = storedOutputs(store, symbol, begin.revision + 1, revision);
  let output = await stored.next();
  let last: BookEvent | null = null;
  let { position } = begin;
  let replayed = 0;
  if (output.done) return { engine, position, replayed, missing: null };

  for await (const input of inputsAfter(store, symbol, position)) {
    const facts = applyOrBreak(engine, input);
    position = input.position;
    replayed += 1;
    for (const [index, fact] of facts.entries()) {
      if (output.done) {
        if (!last?.more) throw divergence(symbol, input, fact, null);
        const missing = { input, facts: facts.slice(index), time: outputTime(engine, input.event) };
        return { engine, position, replayed, missing };
      }
      if (!sameOutput(fact, input, output.value)) throw divergence(symbol, input, fact, output.value);
      last = output.value.event;
      output = await stored.next();
    }
    if (output.done) {
      if (last?.more) throw divergence(symbol, input, null, null);
      return { engine, position, replayed, missing: null };
    }
  }
  throw new MarketBroken(`book-${symbol}: the output at revision ${output.value.revision} has no input`);
}

/** Applies an input; what the engine throws breaks this symbol alone. */
export function applyOrBreak(engine: Engine, input: Recorded<EngineInput>): BookFact[] {
  try {
    return apply(engine, input);
  } catch (error) {
    const { id, type } = input.event;
    throw new MarketBroken(`${engine.symbol}: ${type} ${id} could not be applied`, { cause: error });
  }
}

/** The newest snapshot's state, or the empty one. A snapshot is no truth: one that cannot be restored is left. */
async function beginning({ store, snapshots, log }: ReplayOptions, symbol: string, revision: number) {
  const found = await snapshots.load({ kind: SNAPSHOT_KIND, key: symbol, version: SNAPSHOT_VERSION });
  if (found && found.cursor.storeId === store.id && found.revision <= revision) {
    try {
      const engine = unpacked(found);
      return { engine, position: found.cursor.position, revision: found.revision };
    } catch (error) {
      if (error instanceof UnknownMatchingRules) throw error;
      log.error({ err: error, symbol }, 'a snapshot could not be restored: replaying from the beginning');
    }
  }
  return { engine: newEngine(symbol), position: 0, revision: -1 };
}

/** What the book says from one revision to another, without the marks of engines that took over. */
async function* storedOutputs(store: EventStore<Event>, symbol: string, from: number, to: number) {
  const read = async (next: number) => {
    const events = await store.readStream(bookStream(symbol), next, PAGE_EVENTS_MAX);
    const last = events.at(-1);
    if (!last) throw new MarketBroken(`book-${symbol}: nothing at revision ${next}`);
    return { events, next: last.revision < to ? last.revision + 1 : null };
  };
  for await (const { events } of pagesAhead(read, from)) {
    for (const recorded of events) {
      if (recorded.revision <= to && recorded.event.type !== 'EngineStarted.v1') {
        yield recorded as Recorded<BookEvent>;
      }
    }
  }
}

/** The symbol's inputs after a position, up to the end of the store. */
async function* inputsAfter(store: EventStore<Event>, symbol: string, position: number) {
  const read = async (after: number) => {
    const { inputs, position: reached, atEnd } = await inputPage(store, symbol, after);
    return { inputs, next: atEnd ? null : reached };
  };
  for await (const { inputs } of pagesAhead(read, position)) yield* inputs;
}

/** Pages one after another, each read while the one before is worked on. */
async function* pagesAhead<P extends { next: number | null }>(
  read: (from: number) => Promise<P>,
  from: number,
) {
  let coming = read(from);
  for (;;) {
    const page = await coming;
    if (page.next !== null) {
      coming = read(page.next);
      // Whoever stops before the end does not want to know.
      coming.catch(() => undefined);
    }
    yield page;
    if (page.next === null) return;
  }
}

/** A page of the symbol's inputs, by itself: other symbols are not read. */
export async function inputPage(store: EventStore<Event>, symbol: string, after: number) {
  const page = await store.readAll(after, { symbols: [symbol] }, PAGE_EVENTS_MAX);
  return { inputs: page.events.filter(isInput), position: page.position, atEnd: page.atEnd };
}

export const isInput = (recorded: Recorded<Event>): recorded is Recorded<EngineInput> =>
  recorded.symbol !== null && isEngineInput(recorded.event);

const sameOutput = (fact: BookFact, input: Recorded<EngineInput>, { event }: Recorded<BookEvent>): boolean =>
  fact.type === event.type &&
  event.causationId === input.event.id &&
  isDeepStrictEqual(fact.data, event.data);

function divergence(
  symbol: string,
  input: Recorded<EngineInput>,
  computed: BookFact | null,
  stored: Recorded<BookEvent> | null,
): MarketBroken {
  const { id, type } = input.event;
  const gives = computed ? JSON.stringify(computed) : 'nothing more';
  const event = stored?.event;
  const has = event
    ? JSON.stringify({ type: event.type, data: event.data, causationId: event.causationId })
    : computed
      ? 'nothing more'
      : 'a mark that there is more';
  return new MarketBroken(
    `book-${symbol} is not what its inputs give: ${type} ${id} at position ${input.position} gives ${gives}; ` +
      `the book has ${has}`,
  );
}
