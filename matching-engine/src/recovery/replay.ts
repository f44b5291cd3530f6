import { isDeepStrictEqual } from 'node:util';
import { type BookEvent, type BookFact, type EngineInput, type Event } from '@brokerx/contracts';
import type { EventStore, Log, Recorded, Snapshot, Snapshots } from '@brokerx/infra';
import { apply, type Engine, newEngine, outputTime, UnknownMatchingRules } from '../rules/engine.ts';
import { SNAPSHOT_KIND, SNAPSHOT_VERSION, unpacked } from '../snapshot/packedState.ts';
import type { BookReader } from './bookReader.ts';
import type { Inputs } from './inputs.ts';
import { MarketBroken } from './marketBroken.ts';

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

/** What a replay begins with. */
export type Beginning = {
  engine: Engine;
  /** Position of the last input that is in it; 0 before the first. */
  position: number;
  /** Of the last output that came of it. */
  revision: number;
};

/** From where it begins up to the output at `revision` of the book. Throws `MarketBroken`, or what the store throws. */
export async function replay(
  { engine, ...begin }: Beginning,
  book: BookReader,
  pages: AsyncIterable<Inputs>,
): Promise<Replayed> {
  let last: BookEvent | null = null;
  let { position } = begin;
  let replayed = 0;
  await book.turned();
  if (!book.output()) return { engine, position, replayed, missing: null };

  for await (const inputs of pages) {
    for (const input of inputs) {
      if (input.position <= position) continue;
      const facts = applyOrBreak(engine, input);
      position = input.position;
      replayed += 1;
      for (const [index, fact] of facts.entries()) {
        const output = book.output();
        if (!output) {
          if (!last?.more) throw divergence(input, fact, null);
          const missing = { input, facts: facts.slice(index), time: outputTime(engine, input.event) };
          return { engine, position, replayed, missing };
        }
        if (!sameOutput(fact, input, output)) throw divergence(input, fact, output);
        last = output.event;
        if (!book.next()) await book.turned();
      }
      if (!book.output()) {
        if (last?.more) throw divergence(input, null, null);
        return { engine, position, replayed, missing: null };
      }
    }
  }
  throw new MarketBroken(
    `book-${engine.symbol}: the output at revision ${book.output()?.revision} has no input`,
  );
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

/** The newest snapshot's state, or the empty one. Throws `UnknownMatchingRules`. */
export async function beginning(
  { store, snapshots }: Pick<ReplayOptions, 'store' | 'snapshots'>,
  symbol: string,
  revision: number,
): Promise<Beginning> {
  const key = { kind: SNAPSHOT_KIND, key: symbol, version: SNAPSHOT_VERSION };
  const found = await snapshots.load(key, engineOrUnknownRules);
  if (found?.state instanceof UnknownMatchingRules) throw found.state;
  if (found && found.cursor.storeId === store.id && found.revision <= revision) {
    return { engine: found.state, position: found.cursor.position, revision: found.revision };
  }
  return { engine: newEngine(symbol), position: 0, revision: -1 };
}

/** Rules that this engine lacks are no damage: what was made by them is not to be made anew by others. */
function engineOrUnknownRules(snapshot: Snapshot): Engine | UnknownMatchingRules {
  try {
    return unpacked(snapshot);
  } catch (error) {
    if (error instanceof UnknownMatchingRules) return error;
    throw error;
  }
}

const sameOutput = (fact: BookFact, input: Recorded<EngineInput>, { event }: Recorded<BookEvent>): boolean =>
  fact.type === event.type &&
  event.causationId === input.event.id &&
  isDeepStrictEqual(fact.data, event.data);

function divergence(
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
    `book-${input.symbol} is not what its inputs give: ${type} ${id} at position ${input.position} gives ${gives}; ` +
      `the book has ${has}`,
  );
}
