import { eventTypeFilter, type Filter as ServerFilter, streamNameFilter } from '@eventstore/db-client';
import { type Codec, commitMatcher, type Filter, matcher, type Recorded } from '../eventStore.ts';
import { isReadable, markOf, type PlacedEvent, recorded, type WireEvent } from './wire.ts';

/**
 * A filter that the server applies, by names of streams or by types of events. It cannot combine the two and knows no symbols,
 * so it may send more events than are wanted, never fewer; `wantedOf` leaves out the rest.
 */
export type ServerExpression =
  | { on: 'stream'; regex: string }
  | { on: 'type'; regex: string }
  /** No event can match, so there is nothing to read. */
  | 'nothing';

/** Names of streams in one expression. Beyond it the whole category is read, so that the expression stays short. */
const NAMES_MAX = 100;

/** The narrowest expression that lets all wanted events through; null if only reading everything does. */
export function serverExpression<E>(
  filters: readonly Filter[],
  codec: Pick<Codec<E>, 'storedTypesOf'>,
): ServerExpression | null {
  const possible = filters.filter(
    (filter) => !CONDITIONS.some((condition) => filter[condition]?.length === 0),
  );
  if (possible.length === 0) return 'nothing';
  const types = possible.map((filter) => filter.types);
  if (types.every((each) => each !== undefined)) {
    return { on: 'type', regex: `^(${alternatives(codec.storedTypesOf(types.flat()))})$` };
  }
  const names = possible.map(namesOf);
  return names.every((each) => each !== null) ? { on: 'stream', regex: `^(${names.join('|')})$` } : null;
}

const CONDITIONS = ['categories', 'streams', 'symbols', 'types'] as const;

function namesOf({ streams, categories }: Filter): string | null {
  if (streams && streams.length <= NAMES_MAX) return alternatives(streams);
  return categories ? `(${alternatives(categories)})(-.*)?` : null;
}

const alternatives = (names: readonly string[]) =>
  [...new Set(names)].map((name) => name.replaceAll(/[^A-Za-z0-9_-]/g, '\\$&')).join('|');

/** Events in one search of the server, and searches after which it reports its position in a checkpoint. */
const SEARCH_WINDOW_EVENTS = 1_000;
const CHECKPOINT_WINDOWS = 2;

export function serverFilter(
  { on, regex }: Exclude<ServerExpression, 'nothing'>,
  checkpointReached: (position: { commit: bigint }) => void,
): ServerFilter {
  const options = {
    regex,
    maxSearchWindow: SEARCH_WINDOW_EVENTS,
    checkpointInterval: CHECKPOINT_WINDOWS,
    checkpointReached: async (_subscription: unknown, position: { commit: bigint }) =>
      checkpointReached(position),
  };
  return on === 'type' ? eventTypeFilter(options) : streamNameFilter(options);
}

/**
 * Returns a function that decodes an event if it is wanted, and returns null if not; what cannot be wanted is not decoded. An
 * event in one of our streams that has no commit was written by another program: it goes to `onStrange`.
 */
export function wantedOf<E>(
  filters: readonly Filter[],
  codec: Codec<E>,
  onStrange: (event: WireEvent) => void,
): (placed: PlacedEvent) => Recorded<E> | null {
  const prepared = filters.map((filter) => ({
    matchesCommit: commitMatcher(filter),
    storedTypes: filter.types && new Set(codec.storedTypesOf(filter.types)),
  }));
  const isWanted = matcher(filters, codec);
  return ({ event, position }) => {
    if (!event || !isReadable(event.streamId)) return null;
    const mark = markOf(event);
    if (!mark) {
      onStrange(event);
      return null;
    }
    const commit = { stream: event.streamId, symbol: mark.symbol };
    if (
      !prepared.some(
        ({ matchesCommit, storedTypes }) => matchesCommit(commit) && (storedTypes?.has(event.type) ?? true),
      )
    )
      return null;
    const recordedEvent = recorded(codec, event, mark, position);
    return isWanted(recordedEvent) ? recordedEvent : null;
  };
}
