import type { Landmark } from './eventStore.ts';

/** Where a consumer stands. A cursor of another store is refused with `ForeignCursor`: it means "rebuild". */
export type Cursor = {
  storeId: string;
  /** Everything up to here has been given. */
  position: number;
  /**
   * For a consumer of a topic: the same for each partition, the lowest of which is `position`. Absent: all of them stand
   * there. A consumer that does not keep this is given again what partitions further on had brought it.
   */
  partitions?: readonly number[];
  /** Where it is kept: the last event that what stands here rests on (`past.ts`). Feeds do not look at it. */
  landmark?: Landmark;
};

export class ForeignCursor extends Error {
  override name = 'ForeignCursor';
}
