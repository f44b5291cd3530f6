import type { EventStore, Filter } from './eventStore.ts';

/**
 * A store that is put back to an earlier state (a backup) keeps its id and gives its positions a second time. So whatever is
 * kept beside the store, a view, a topic, tables in another database, notes with its position the last event that it
 * rests on: the id of a commit is minted anew for each attempt, and says which past it is of.
 */
export type Landmark = { position: number; commitId: string };

/** What something kept beside the store rests on: everything that it wants, up to a position. */
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
