import type { Cursor } from '../eventStore/cursor.ts';
import type { Filter, Recorded } from '../eventStore/eventStore.ts';

/**
 * The feed port: everything after a cursor, in order, that matches a filter, in batches, for ever. One feed in a
 * process serves all its consumers: what several of them want is read and parsed once.
 */

export type Batch<E> = {
  /** Matching events in order; may be empty: quiet consumers are told positions too. */
  events: readonly Recorded<E>[];
  /** The consumer has now been given everything that matches up to and including this position. */
  position: number;
  /**
   * On the feed of a topic, for each partition: it was given everything of it up to and including this position. Events
   * of one key are in order from batch to batch; those of different partitions need not be, and `position` (the lowest
   * of these) may stay the same from one batch to the next.
   */
  partitions?: readonly number[];
  /** True when this batch reached the head of the store as the feed knew it. */
  live: boolean;
};

export type Consumer<E> = {
  /** For logs and metrics. */
  name: string;
  /** `null`: from the beginning. */
  after: Cursor | null;
  filter: Filter;
  /** Upper bound of events in a batch, so that a handler's transaction stays short. */
  batchEventsMax: number;
  /**
   * Called with one batch at a time; the next one comes when the promise settles. A rejection is retried with
   * the same events after a back-off, for ever; a consumer that wants to give up calls `stop`.
   */
  handle(batch: Batch<E>): Promise<void>;
};

export type Subscription = {
  /** Position given (and handled) so far. */
  position(): number;
  /** Resolves when everything up to `position` has been handled; rejects after `timeoutMs` or on stop. */
  reached(position: number, timeoutMs: number): Promise<void>;
  /** Lets a running handler finish, then ends. A handler must not await it: it would wait for itself. */
  stop(): Promise<void>;
};

export type Feed<E> = {
  subscribe(consumer: Consumer<E>): Subscription;
  /** Position of the newest event that the feed knows of. */
  head(): number;
  close(): Promise<void>;
};
