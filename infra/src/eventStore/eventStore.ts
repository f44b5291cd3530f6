/**
 * The event store port. A store is one totally ordered log of commits. Every event has a position (its place in the whole
 * store), a stream and a revision (its place in that stream). The port is generic in the event: an adapter receives a
 * codec and never looks inside.
 *
 * Every adapter promises this, and the contract suite (`eventStore.contract.ts`) checks it:
 * - an append is durable before its verdict is returned;
 * - positions grow in commit order: a reader that has seen position n never later finds an event at or below n. They
 *   need not be dense, and a store understands only positions that it returned itself;
 * - a retry of a commit is recognised by its place and id, never by its id alone.
 */

/** The forms in which events are kept and sent. Every way of reading them also upcasts old event versions. */
export type Codec<E> = {
  /** The events as a JSON array that everybody reads. */
  encode(events: readonly E[]): string;
  decode(text: string): E[];
  /** The events of one commit as a store of texts keeps them: shorter, and without what follows from the commit's id. */
  pack(commitId: string, events: readonly E[]): string;
  /** The events of a packed text, or of one that `encode` made. */
  unpack(text: string, commitId: string): E[];
  /** What `Filter.types` calls a decoded event. */
  typeOf(event: E): string;
  /**
   * Marks that tell which texts of either form may hold events of these types: every such text contains at least one mark.
   * A reader of these types alone skips texts without a mark; a text with one may still hold no such event.
   */
  marksOf(types: readonly string[]): readonly string[];
  /** Takes an event apart, for a store that keeps each event as a record that other tools can read. */
  parts(event: E): EventParts;
  /** Puts an event together again, and upcasts it. */
  whole(parts: EventParts): E;
  /** The types under which events that decode to these types may be stored: these types and their older versions. */
  storedTypesOf(types: readonly string[]): readonly string[];
};

/** An event as plain JSON: `data` says what happened, `metadata` who caused it and when. */
export type EventParts = { type: string; data: unknown; metadata: Readonly<Record<string, unknown>> };

export type Commit<E> = {
  /** UUID, minted once per decision; retries of the decision keep it. */
  id: string;
  stream: string;
  /** Revision of the stream's last event as the decider saw it; `NO_STREAM` (-1) when there was none. */
  expectedRevision: number;
  /**
   * True when this commit was decided on the state after the previous commit to the same stream in the same call. If that
   * one fails, this one is `broken-chain`, even if another writer's event satisfies its expected revision.
   */
  chained: boolean;
  /** The symbol whose engine takes this commit as input; null on every other commit. */
  symbol: string | null;
  events: readonly E[];
  /** The store's text of the commit, if the caller already has it, so that the store need not make it again. */
  text?: string;
};

export type Verdict =
  /** `revision` and `position` of the commit's last event. */
  | { verdict: 'ok' | 'duplicate'; revision: number; position: number }
  | { verdict: 'conflict'; actualRevision: number }
  | { verdict: 'broken-chain' };

/**
 * A position with the commit that holds it. A store restored from a backup keeps its id and uses the same positions again for
 * other commits. Commit ids are never used again, so a landmark shows to which past a position belongs.
 */
export type Landmark = { position: number; commitId: string };

/** An event with its place in the store. */
export type Recorded<E> = {
  event: E;
  stream: string;
  revision: number;
  position: number;
  commitId: string;
  symbol: string | null;
};

/** Which events a reader wants. All conditions must hold; an absent one always holds. */
export type Filter = {
  /** Parts of stream names before the first `-`: `account`, `book`, `market`, … */
  categories?: readonly string[];
  /** Exact stream names. */
  streams?: readonly string[];
  /** `'any'`: every commit that is an engine input, whatever its symbol. */
  symbols?: readonly string[] | 'any';
  /** Exact event types, such as `DepositRequested.v1`. Other events of the same commit are left out. */
  types?: readonly string[];
};

export type Page<E> = {
  events: Recorded<E>[];
  /**
   * The reader now has every matching event up to and including this position. It may lie beyond the page's last event,
   * because it also moves through commits that the filter left out.
   */
  position: number;
  /** True when the page reached the end that the store had at the time of the read. */
  atEnd: boolean;
};

export type EventStore<E> = {
  /** The store's own id (UUID), minted when it was created. A position is meaningful only together with it. */
  readonly id: string;
  readonly codec: Codec<E>;
  /** The commit's text, by whose length this store's appends are bounded: `Commit.text` saves making it twice. */
  textOf(commit: Pick<Commit<E>, 'id' | 'events'>): string;
  /**
   * Appends at most `COMMITS_PER_APPEND_MAX` commits, those to one stream in order, and returns a durable verdict for each.
   * A failed commit leaves no trace and does not hinder the others. Throws `UnknownOutcome` when the reply was lost: repeat
   * the same call, and `duplicate` shows which commits were stored. `inOrder`: commits to different streams are also stored
   * in the order of the call, which may take longer.
   */
  append(commits: readonly Commit<E>[], options?: { inOrder?: boolean }): Promise<Verdict[]>;
  /** Up to `eventsMax` events of one stream from `fromRevision` (inclusive), oldest first. */
  readStream(stream: string, fromRevision: number, eventsMax: number): Promise<Recorded<E>[]>;
  /** Revision of the stream's last event, or `NO_STREAM`. */
  streamRevision(stream: string): Promise<number>;
  /**
   * A page of the matching events after position `after` (exclusive), which may lie inside a commit: either a position that
   * this store returned or the one just below an event's. With several filters an event has to match one of them. Texts
   * that no filter wants are not decoded.
   */
  readAll(after: number, filter: Filter | readonly Filter[], eventsMax: number): Promise<Page<E>>;
  /**
   * Position of the last event in the store, including the server's own events, which readers never get; 0 when it is empty.
   * The first event's position is above 0.
   */
  head(): Promise<number>;
  /**
   * The landmark of the last readable event up to and including a position (one that this store returned, or the one just
   * below an event's). Null if there is no such event, or if the store ends before the position.
   */
  landmark(position: number): Promise<Landmark | null>;
  /** Calls `listener` soon after an append by any process. Only a hint: spurious calls are allowed. */
  onAppend(listener: () => void): () => void;
  close(): Promise<void>;
};

export const NO_STREAM = -1;
/** Bounds one transaction (≈ 1 MB of text at 2 KB a commit), so that one append takes less than some 20 ms. */
export const COMMITS_PER_APPEND_MAX = 500;
/** Bounds the text of one row; the engine cuts longer outputs into several commits. */
export const EVENTS_PER_COMMIT_MAX = 500;

/** Nobody knows whether the append was stored. Repeat the very same call to learn it. */
export class UnknownOutcome extends Error {
  override name = 'UnknownOutcome';
}

/** The part of a stream's name before its first `-`. */
export function categoryOf(stream: string): string {
  const dash = stream.indexOf('-');
  return dash === -1 ? stream : stream.slice(0, dash);
}

/**
 * A test of a filter's conditions on a commit: all but the one on types, which is about events. It is made once for many
 * commits, because a filter may name hundreds of symbols.
 */
export function commitMatcher({ categories, streams, symbols }: Filter) {
  const categorySet = categories && new Set(categories);
  const streamSet = streams && new Set(streams);
  const symbolSet = typeof symbols === 'object' ? new Set(symbols) : undefined;
  return ({ stream, symbol }: { stream: string; symbol: string | null }): boolean =>
    (!categorySet || categorySet.has(categoryOf(stream))) &&
    (!streamSet || streamSet.has(stream)) &&
    (!symbols || (symbol !== null && (!symbolSet || symbolSet.has(symbol))));
}

/** A test of whether an event matches the filter, or one of several filters. */
export function matcher<E>(
  filterOrFilters: Filter | readonly Filter[],
  { typeOf }: Pick<Codec<E>, 'typeOf'>,
): (recorded: Pick<Recorded<E>, 'event' | 'stream' | 'symbol'>) => boolean {
  const filters = filtersOf(filterOrFilters).map((filter) => ({
    matchesCommit: commitMatcher(filter),
    types: filter.types && new Set(filter.types),
  }));
  return (recorded) =>
    filters.some(
      ({ matchesCommit, types }) => matchesCommit(recorded) && (!types || types.has(typeOf(recorded.event))),
    );
}

export const filtersOf = (filterOrFilters: Filter | readonly Filter[]): readonly Filter[] =>
  Array.isArray(filterOrFilters) ? filterOrFilters : [filterOrFilters as Filter];
