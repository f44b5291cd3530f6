import { LRUCache } from 'lru-cache';
import type { Cursor } from './cursor.ts';
import type { EventStore, Filter, Landmark } from './eventStore.ts';

/**
 * Checks that saved state still belongs to its store. A store restored from a backup keeps its id and uses the same positions
 * again. So everything saved beside the store (a snapshot, a table, a view, a topic, a page token) names the last commit
 * that it rests on as well as its position, and is valid only while the store has that commit at that position.
 */
export type Past = {
  readonly storeId: string;
  /**
   * The cursor to save for this position: with the last commit that it rests on. `events`: the last events up to there, if
   * the caller has them.
   */
  cursor(position: number, events?: readonly Landmark[]): Promise<Cursor>;
  /**
   * Whether a saved cursor is valid: it is this store's, not beyond its end, and the commit at its position is the one
   * that it names. A cursor without a commit is valid at position 0 alone.
   */
  stands(saved: Cursor): Promise<boolean>;
};

/** The part of an event store that the check needs. */
export type PastOf = Pick<EventStore<unknown>, 'id' | 'head' | 'landmark'>;

/** Landmarks remembered: the cursors of many shards and symbols have the same few positions. */
const LANDMARKS_MAX = 1_000;

export function pastOf(store: PastOf): Past {
  const { id: storeId } = store;
  const cache = new LRUCache<number, Landmark>({ max: LANDMARKS_MAX });
  const landmarkAt = async (position: number, events: readonly Landmark[]): Promise<Landmark | null> => {
    const last = events.at(-1);
    if (last?.position === position) return { position, commitId: last.commitId };
    const cached = cache.get(position);
    if (cached) return cached;
    const landmark = await store.landmark(position);
    if (landmark) cache.set(position, landmark);
    return landmark;
  };
  return {
    storeId,
    async cursor(position, events = []) {
      const landmark = await landmarkAt(position, events);
      return landmark ? { storeId, position, landmark } : { storeId, position };
    },
    async stands({ storeId: cursorStoreId, position, landmark }) {
      if (cursorStoreId !== storeId) return false;
      if (position === 0) return true;
      if (!landmark || position > (await store.head())) return false;
      const actual = await store.landmark(position);
      return actual?.position === landmark.position && actual.commitId === landmark.commitId;
    },
  };
}

/**
 * Checks the cursor of one thing again and again; null: it has none now. A cursor that only advanced since the last check is
 * not checked again: its writers check, too.
 */
export function standing(
  stands: (saved: Cursor) => Promise<boolean>,
): (saved: Cursor | null) => Promise<boolean> {
  let trusted: Cursor | null = null;
  return async (saved) => {
    const isAdvanced =
      trusted !== null && trusted.storeId === saved?.storeId && saved.position >= trusted.position;
    const isOurs = saved !== null && (isAdvanced || (await stands(saved)));
    trusted = isOurs ? saved : null;
    return isOurs;
  };
}

/** The past of saved state that follows a filter: it has seen every matching event up to a position. */
export type FilteredPast = {
  position: number;
  /** The last matching event up to there; null: there was none. */
  landmark: Landmark | null;
};

/** Whether the store still has this past: the same last matching event, and no further one up to the position. */
export async function isOfThisPast(
  store: Pick<EventStore<unknown>, 'head' | 'readAll'>,
  { position, landmark }: FilteredPast,
  filter: Filter,
): Promise<boolean> {
  if (position > (await store.head())) return false;
  if (landmark) {
    const { events } = await store.readAll(landmark.position - 1, filter, 1);
    if (events[0]?.position !== landmark.position || events[0].commitId !== landmark.commitId) return false;
  }
  for (let after = landmark?.position ?? 0; after < position; ) {
    const page = await store.readAll(after, filter, 1);
    const [next] = page.events;
    if (next) return next.position > position;
    if (page.atEnd) break;
    after = page.position;
  }
  return true;
}

/** Landmarks of a consumer that may receive events ahead of its position, such as from the partitions of a topic. */
export type Landmarks = {
  /** Adds events that the consumer received. */
  add(events: readonly Landmark[]): void;
  /** The last event up to this position. Positions must not decrease from call to call. */
  at(position: number): Landmark | null;
};

export function landmarks(first: Landmark | null): Landmarks {
  let last = first;
  let ahead: Landmark[] = [];
  return {
    add(events) {
      for (const { position, commitId } of events) ahead.push({ position, commitId });
    },
    at(position) {
      const passed = ahead.filter((event) => event.position <= position);
      ahead = ahead.filter((event) => event.position > position);
      for (const event of passed) if (event.position > (last?.position ?? 0)) last = event;
      return last;
    },
  };
}
