import { LRUCache } from 'lru-cache';
import type { Cursor } from './cursor.ts';
import type { EventStore, Filter, Landmark } from './eventStore.ts';

/**
 * A store that is put back to an earlier state (a backup) keeps its id and gives its positions a second time. So whatever is
 * kept beside the store, a snapshot, a table, a view, a topic, a page token, says with its position the last commit that
 * it rests on, and is believed only where the store has that commit in that place. Here is the one check for all of them.
 */
export type Past = {
  readonly storeId: string;
  /**
   * The cursor at this position, as it is kept: with the last commit that it rests on. `events`: the last ones before it,
   * where they are at hand.
   */
  cursor(position: number, events?: readonly Landmark[]): Promise<Cursor>;
  /**
   * Whether a cursor that was kept stands in this store: it is of this store and not beyond its end, and the commit at
   * its place is the one that it names. One that names none stands at the beginning alone.
   */
  stands(kept: Cursor): Promise<boolean>;
};

/** What has a past. */
export type PastOf = Pick<EventStore<unknown>, 'id' | 'head' | 'landmark'>;

/** Those of many shards and symbols stand at the same few places. */
const LANDMARKS_MAX = 1_000;

export function pastOf(store: PastOf): Past {
  const { id: storeId } = store;
  const named = new LRUCache<number, Landmark>({ max: LANDMARKS_MAX });
  const landmarkAt = async (position: number, events: readonly Landmark[]): Promise<Landmark | null> => {
    const last = events.at(-1);
    if (last?.position === position) return { position, commitId: last.commitId };
    const known = named.get(position);
    if (known) return known;
    const landmark = await store.landmark(position);
    if (landmark) named.set(position, landmark);
    return landmark;
  };
  return {
    storeId,
    async cursor(position, events = []) {
      const landmark = await landmarkAt(position, events);
      return landmark ? { storeId, position, landmark } : { storeId, position };
    },
    async stands({ storeId: of, position, landmark }) {
      if (of !== storeId) return false;
      if (position === 0) return true;
      if (!landmark || position > (await store.head())) return false;
      const there = await store.landmark(position);
      return there?.position === landmark.position && there.commitId === landmark.commitId;
    },
  };
}

/**
 * Whether cursors of one thing that is looked at again and again stand; null: there is none now. Where it was found to stand
 * and goes on from there, it was written on by somebody who had looked, too.
 */
export function standing(
  stands: (kept: Cursor) => Promise<boolean>,
): (kept: Cursor | null) => Promise<boolean> {
  let trusted: Cursor | null = null;
  return async (kept) => {
    const goesOn = trusted !== null && trusted.storeId === kept?.storeId && kept.position >= trusted.position;
    const isOurs = kept !== null && (goesOn || (await stands(kept)));
    trusted = isOurs ? kept : null;
    return isOurs;
  };
}

/** What something kept beside the store rests on that follows some events alone: all that it wants, up to a position. */
export type Rests = {
  position: number;
  /** The last event up to there that it wanted; null: there was none. */
  landmark: Landmark | null;
};

/** Whether the store still has the past that this rests on: the same last event, and nothing more up to the position. */
export async function isOfThisPast(
  store: Pick<EventStore<unknown>, 'head' | 'readAll'>,
  { position, landmark }: Rests,
  wanted: Filter,
): Promise<boolean> {
  if (position > (await store.head())) return false;
  if (landmark) {
    const { events } = await store.readAll(landmark.position - 1, wanted, 1);
    if (events[0]?.position !== landmark.position || events[0].commitId !== landmark.commitId) return false;
  }
  for (let after = landmark?.position ?? 0; after < position; ) {
    const page = await store.readAll(after, wanted, 1);
    const [next] = page.events;
    if (next) return next.position > position;
    if (page.atEnd) break;
    after = page.position;
  }
  return true;
}

/** The landmarks of a consumer, whose events may be ahead of the position that it has reached as a whole. */
export type Landmarks = {
  /** It was given these. */
  add(events: readonly Landmark[]): void;
  /** The last event up to this position, which is not below one asked for before. */
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
