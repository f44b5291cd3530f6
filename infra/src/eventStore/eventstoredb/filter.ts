import { eventTypeFilter, type Filter as ServerFilter, streamNameFilter } from '@eventstore/db-client';
import { type Codec, commitMatcher, type Filter, matcher, type Recorded } from '../eventStore.ts';
import { isGiven, markOf, type PlacedEvent, recorded, type WireEvent } from './wire.ts';

/**
 * What the server can leave out by itself: it knows streams' names or events' types, not both, and no symbols. So it
 * may give more than is wanted, never less; the rest is left out here.
 */
export type ServerExpression =
  | { on: 'stream'; regex: string }
  | { on: 'type'; regex: string }
  /** Nothing can match: there is nothing to read. */
  | 'nothing';

/** Names in one expression; beyond it the whole category is read, so that the expression stays short. */
const NAMES_MAX = 100;

/** The narrowest expression that lets through all that is wanted; null: only reading everything does. */
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

/** Events between two checkpoints: what the server looks through before it tells how far it is. */
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
 * Gives the events that are wanted, decoded; what cannot be wanted is not decoded. Events of streams of ours without
 * a commit were written by somebody else, and are told of instead.
 */
export function wantedOf<E>(
  filters: readonly Filter[],
  codec: Codec<E>,
  onStrange: (event: WireEvent) => void,
): (placed: PlacedEvent) => Recorded<E> | null {
  const each = filters.map((filter) => ({
    isOf: commitMatcher(filter),
    stored: filter.types && new Set(codec.storedTypesOf(filter.types)),
  }));
  const isWanted = matcher(filters, codec);
  return ({ event, position }) => {
    if (!event || !isGiven(event.streamId)) return null;
    const mark = markOf(event);
    if (!mark) {
      onStrange(event);
      return null;
    }
    const commit = { stream: event.streamId, symbol: mark.symbol };
    if (!each.some(({ isOf, stored }) => isOf(commit) && (stored?.has(event.type) ?? true))) return null;
    const found = recorded(codec, event, mark, position);
    return isWanted(found) ? found : null;
  };
}
