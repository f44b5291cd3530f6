import type { EventReader } from '../reading/eventReader.ts';

/**
 * Where a returning client goes on. A message's id is the revision of its event in the stream. An id that the stream does not
 * have (it is of another store), or one so old that a fresh start is quicker, makes the client start anew.
 */
export type Resume = { from: number } | { resync: 'unknown_id' | 'too_old' };

/** Revisions that are sent again at most: half a minute of a very busy symbol. */
export const RESUME_EVENTS_MAX = 100_000;

export async function resumeAt(store: EventReader, stream: string, lastEventId: number): Promise<Resume> {
  const revision = await store.streamRevision(stream);
  if (lastEventId > revision) return { resync: 'unknown_id' };
  if (revision - lastEventId > RESUME_EVENTS_MAX) return { resync: 'too_old' };
  return { from: lastEventId + 1 };
}
