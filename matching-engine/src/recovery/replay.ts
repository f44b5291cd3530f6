import { isDeepStrictEqual } from 'node:util';
import { type BookEvent, type BookFact, type EngineInput, type Event } from '@brokerx/contracts';
import type { EventStore, Log, Recorded, Snapshot, Snapshots } from '@brokerx/infra';
import { apply, type Engine, newEngine, outputTime, UnknownMatchingRules } from '../rules/engine.ts';
import { SNAPSHOT_KIND, SNAPSHOT_VERSION, unpacked } from '../snapshot/packedState.ts';
import type { BookReader } from './bookReader.ts';
import type { Inputs } from './inputs.ts';
import { MarketBroken } from './marketBroken.ts';

/**
 * Rebuilds an engine's state: restores the newest snapshot and applies the inputs after it again. Their outputs must
 * equal the stored ones exactly; any difference breaks the market.
 */
export type ReplayOptions = { store: EventStore<Event>; snapshots: Snapshots; log: Log };

export type Replayed = {
  engine: Engine;
  /** The position of the last applied input; 0 before the first. */
  position: number;
  /** The number of inputs that were applied again. */
  replayed: number;
  /** Outputs of the last input that the book lacks: they were cut into several commits, and the last ones were lost. */
  missing: { input: Recorded<EngineInput>; facts: BookFact[]; time: string } | null;
};

/** The state that a replay begins with. */
export type Beginning = {
  engine: Engine;
  /** The position of the last input that the state contains; 0 before the first. */
  position: number;
  /** The revision of the last output that the state contains; -1 before the first. */
  revision: number;
};

/** Applies inputs until the book's outputs are used up. Throws `MarketBroken`, or an error of the store. */
export async function replay(
  { engine, ...begin }: Beginning,
  book: BookReader,
  pages: AsyncIterable<Inputs>,
): Promise<Replayed> {
  let last: BookEvent | null = null;
  let { position } = begin;
  let replayed = 0;
  await book.nextPage();
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
        if (!book.next()) await book.nextPage();
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

/** Applies an input. An error of the engine becomes `MarketBroken`, which stops this symbol alone. */
export function applyOrBreak(engine: Engine, input: Recorded<EngineInput>): BookFact[] {
  try {
    return apply(engine, input);
  } catch (error) {
    const { id, type } = input.event;
    throw new MarketBroken(`${engine.symbol}: ${type} ${id} could not be applied`, { cause: error });
  }
}

/** The state of the newest snapshot that the book contains, or the empty state. Throws `UnknownMatchingRules`. */
export async function beginning(
  { store, snapshots }: Pick<ReplayOptions, 'store' | 'snapshots'>,
  symbol: string,
  revision: number,
): Promise<Beginning> {
  const key = { kind: SNAPSHOT_KIND, key: symbol, version: SNAPSHOT_VERSION };
  const snapshot = await snapshots.load(key, engineOrUnknownRules);
  if (snapshot?.state instanceof UnknownMatchingRules) throw snapshot.state;
  if (snapshot && snapshot.cursor.storeId === store.id && snapshot.revision <= revision) {
    return { engine: snapshot.state, position: snapshot.cursor.position, revision: snapshot.revision };
  }
  return { engine: newEngine(symbol), position: 0, revision: -1 };
}

/**
 * A snapshot under rules that this engine lacks is not damaged. The error is returned, not thrown, because `load` would
 * take it for damage and the engine would begin again from the empty state, under other rules.
 */
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
