/**
 * The event store port. A store is one totally ordered log of commits; every event in it has a position (its
 * place in the whole store), a stream and a revision (its place in that stream). The port is generic in the
 * event: an adapter receives a codec and never looks inside.
 *
 * What every adapter promises, and the contract suite (`eventStore.contract.ts`) checks:
 * - an append is durable before its verdict is given;
 * - positions grow in commit order: a reader that has seen n never later finds an event at or below n; they
 *   need not be dense, and only those that a store gave mean something to it;
 * - a retry of one commit is recognised by its place and id, never by its id alone.
 */

/** Text form of the events of one commit: a JSON array. Decoding also upcasts old event versions. */
export type Codec<E> = {
  encode(events: readonly E[]): string;
  decode(text: string): E[];
  /** What `Filter.types` calls a decoded event. */
  typeOf(event: E): string;
  /**
   * Parts of text, one of which is in every text that decodes to an event of one of these types. A text without any
   * of them need not be decoded by who wants these types alone; a text with one may still hold none of them.
   */
  marksOf(types: readonly string[]): readonly string[];
  /** The event in parts, for a store in which an event is a record of its own, readable by other tools. */
  parts(event: E): EventParts;
  /** The event of its parts, upcast. */
  whole(parts: EventParts): E;
  /** The types under which an event that decodes to one of these may be stored: these, and older ones. */
  storedTypesOf(types: readonly string[]): readonly string[];
};

/** Plain JSON: what happened, and what is known about it besides. */
export type EventParts = { type: string; data: unknown; metadata: Readonly<Record<string, unknown>> };

export type Commit<E> = {
  /** UUID, minted once per decision and kept through every retry of it. */
  id: string;
  stream: string;
  /** Revision of the stream's last event as the decider saw it; `NO_STREAM` (-1) when there is none. */
  expectedRevision: number;
  /**
   * True when this commit was decided on the state after the previous commit to the same stream in the same
   * call: if that one fails, this one is `broken-chain`, even where a stranger's event would satisfy its
   * expected revision.
   */
  chained: boolean;
  /** The symbol whose engine takes this commit as input; null on every other commit. */
  symbol: string | null;
  events: readonly E[];
  /** The codec's text of the events, from who has it already: a store that keeps texts does not make it again. */
  text?: string;
};

export type Verdict =
  /** `revision` and `position` are those of the commit's last event. */
  | { verdict: 'ok' | 'duplicate'; revision: number; position: number }
  | { verdict: 'conflict'; actualRevision: number }
  | { verdict: 'broken-chain' };

/**
 * A commit by its place. A store that is put back to an earlier state (a backup) keeps its id and gives its positions a
 * second time; the id of a commit is minted anew for each attempt, and says which past a position is of.
 */
export type Landmark = { position: number; commitId: string };

/** An event at its place. */
export type Recorded<E> = {
  event: E;
  stream: string;
  revision: number;
  position: number;
  commitId: string;
  symbol: string | null;
};

/** Which events a reader wants: all given conditions must hold; an absent one holds always. */
export type Filter = {
  /** The stream's name up to its first `-`: `account`, `book`, `market`, … */
  categories?: readonly string[];
  /** Exact stream names. */
  streams?: readonly string[];
  /** `'any'`: every commit that is an engine input, whatever its symbol. */
  symbols?: readonly string[] | 'any';
  /** Exact event types, such as `DepositRequested.v1`: of a commit only the events of these types are given. */
  types?: readonly string[];
};

export type Page<E> = {
  events: Recorded<E>[];
  /**
   * Everything that matches the filter up to and including this position has been given. At or beyond the
   * last event of the page: it also moves through commits that the filter left out.
   */
  position: number;
  /** True when the page reached the end of the store as it was when it was read. */
  atEnd: boolean;
};

export type EventStore<E> = {
  /** The store's own id (UUID), minted when it was created. Positions mean something only beside it. */
  readonly id: string;
  readonly codec: Codec<E>;
  /**
   * Appends the commits, those to one stream in order, and gives one durable verdict each. A failed commit leaves no
   * trace and does not hinder the others. At most `COMMITS_PER_APPEND_MAX` commits. Throws `UnknownOutcome`
   * when a reply was lost: the caller repeats the same call, and `duplicate` tells what had happened. `inOrder`:
   * commits to different streams, too, lie in the store in the order of the call, which may take longer.
   */
  append(commits: readonly Commit<E>[], options?: { inOrder?: boolean }): Promise<Verdict[]>;
  /** Events of one stream from `fromRevision` (inclusive), oldest first, at most `eventsMax`. */
  readStream(stream: string, fromRevision: number, eventsMax: number): Promise<Recorded<E>[]>;
  /** Revision of the stream's last event, or `NO_STREAM`. */
  streamRevision(stream: string): Promise<number>;
  /**
   * The page of events that match after position `after` (exclusive), one that this store gave, or the one just below
   * an event's; may stand inside a commit. Of several filters an event must match one. What no filter wants is passed
   * over without being decoded.
   */
  readAll(after: number, filter: Filter | readonly Filter[], eventsMax: number): Promise<Page<E>>;
  /**
   * Position of the last event in the store, be it one of the server's own that no reader is given; 0 when it is empty.
   * The first event's position is above 0.
   */
  head(): Promise<number>;
  /**
   * The last event up to and including a position that this store gave (or one just below an event's), of those that
   * readers are given; null where there is none, or where the store ends before the position.
   */
  landmark(position: number): Promise<Landmark | null>;
  /** Calls `listener` soon after anything was appended by anyone (a hint: spurious calls are allowed). */
  onAppend(listener: () => void): () => void;
  close(): Promise<void>;
};

export const NO_STREAM = -1;
/** Bounds one transaction (≈1 MB of text at 2 KB a commit), so that one append stays below some 20 ms. */
export const COMMITS_PER_APPEND_MAX = 500;
/** Bounds the text of one row; the engine cuts longer outputs into several commits. */
export const EVENTS_PER_COMMIT_MAX = 500;

/** The store could not say whether the append happened. Repeat the very same call to learn it. */
export class UnknownOutcome extends Error {
  override name = 'UnknownOutcome';
}

/** The part of a stream's name before its first `-`. */
export function categoryOf(stream: string): string {
  const dash = stream.indexOf('-');
  return dash === -1 ? stream : stream.slice(0, dash);
}

/**
 * Whether a filter's conditions on a commit hold: all but the one on types, which is on its events. Made once for many
 * commits: filters may name hundreds of symbols.
 */
export function commitMatcher({ categories, streams, symbols }: Filter) {
  const ofCategory = categories && new Set(categories);
  const ofStream = streams && new Set(streams);
  const ofSymbol = typeof symbols === 'object' ? new Set(symbols) : undefined;
  return ({ stream, symbol }: { stream: string; symbol: string | null }): boolean =>
    (!ofCategory || ofCategory.has(categoryOf(stream))) &&
    (!ofStream || ofStream.has(stream)) &&
    (!symbols || (symbol !== null && (!ofSymbol || ofSymbol.has(symbol))));
}

/** Whether an event is wanted: by one of the filters, where there are several. */
export function matcher<E>(
  wanted: Filter | readonly Filter[],
  { typeOf }: Pick<Codec<E>, 'typeOf'>,
): (recorded: Pick<Recorded<E>, 'event' | 'stream' | 'symbol'>) => boolean {
  const filters = filtersOf(wanted).map((filter) => ({
    isOf: commitMatcher(filter),
    types: filter.types && new Set(filter.types),
  }));
  return (recorded) =>
    filters.some(({ isOf, types }) => isOf(recorded) && (!types || types.has(typeOf(recorded.event))));
}

export const filtersOf = (wanted: Filter | readonly Filter[]): readonly Filter[] =>
  Array.isArray(wanted) ? wanted : [wanted as Filter];
