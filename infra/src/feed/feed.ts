import type { Cursor } from '../eventStore/cursor.ts';
import type { Filter, Recorded } from '../eventStore/eventStore.ts';

/**
 * The feed port: delivers every event after a cursor that matches a filter, in order, in batches, for ever. One feed serves
 * all consumers of a process: an event that several of them want is read and parsed once.
 */

export type Batch<E> = {
  /** Matching events in order. May be empty: then only the position advanced. */
  events: readonly Recorded<E>[];
  /** With this batch the consumer has every matching event up to and including this position. */
  position: number;
  /**
   * On a topic's feed: the same for each partition; `position` is the lowest and may stay the same from batch to batch.
   * Events of one key are in order; events of different partitions need not be.
   */
  partitions?: readonly number[];
  /** True when this batch reached the head of the store, as far as the feed knew it. */
  live: boolean;
};

export type Consumer<E> = {
  /** For logs and metrics. */
  name: string;
  /** Where to begin; `null`: at the beginning of the store. */
  after: Cursor | null;
  filter: Filter;
  /** Most events in a batch: bounds the handler's transaction. */
  batchEventsMax: number;
  /**
   * Called with one batch at a time; the next call comes after the promise has ended. After a rejection the same events
   * come again, with back-off, for ever: a consumer gives up by calling `stop`.
   */
  handle(batch: Batch<E>): Promise<void>;
};

export type Subscription = {
  /** Position up to which everything has been handled. */
  position(): number;
  /** Resolves when everything up to `position` has been handled; rejects after `timeoutMs` and on `stop`. */
  reached(position: number, timeoutMs: number): Promise<void>;
  /** Waits for a running handler, then ends. A handler must not await it: it would wait for itself. */
  stop(): Promise<void>;
};

export type Feed<E> = {
  subscribe(consumer: Consumer<E>): Subscription;
  /** Position of the newest event that the feed knows of. */
  head(): number;
  close(): Promise<void>;
};
