import type { Landmark } from './eventStore.ts';

/** How far a consumer has come. */
export type Cursor = {
  storeId: string;
  /** The consumer has received everything up to and including this position. */
  position: number;
  /**
   * For a topic's consumer: the position reached in each partition; the lowest is `position`. Absent: all partitions are at
   * `position`. A consumer that does not save it receives again what partitions further on had already delivered.
   */
  partitions?: readonly number[];
  /** In saved cursors: the last event that the saved state rests on (`past.ts`). Feeds ignore it. */
  landmark?: Landmark;
};

/** The cursor belongs to another store: whatever was made from that one has to be rebuilt. */
export class ForeignCursor extends Error {
  override name = 'ForeignCursor';
}
