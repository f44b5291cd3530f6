import type { Filter } from '../eventStore/eventStore.ts';
import type { Consumer, Feed, Subscription } from './feed.ts';

/**
 * One subscription for a changing set of things, such as the symbols that a process owns. When the set changes, the
 * subscription ends and a new one begins, early enough for the members that joined. So events may come again, and handlers
 * must skip those that they already have. Changes that come together share one restart.
 */
export type MovableSubscription = {
  /** Position up to which everything has been handled; null while the set is empty. */
  position(): number | null;
  /**
   * Restarts at `from` or at the current position, whichever is lower; resolves when the new subscription has begun. Call it
   * without an await after changing the set. A handler must not await it.
   */
  move(from?: number): Promise<void>;
  stop(): Promise<void>;
};

export type MovableConsumer<E> = Pick<Consumer<E>, 'name' | 'batchEventsMax'> & {
  /**
   * The filter and the handler for the set as it is at this moment; null if it is empty. The handler must serve only these
   * members: one that joins later may lack earlier events.
   */
  begin(): (Pick<Consumer<E>, 'handle'> & { filter: Filter }) | null;
};

export function movableSubscription<E>(
  feed: Feed<E>,
  storeId: string,
  { begin, ...consumer }: MovableConsumer<E>,
): MovableSubscription {
  let current: Subscription | null = null;
  let lowest = Number.POSITIVE_INFINITY;
  let isDue = false;
  let stopped = false;
  let moving: Promise<void> | null = null;

  const run = async () => {
    while (isDue && !stopped) {
      await current?.stop();
      if (stopped) break;
      const position = Math.min(lowest, current?.position() ?? Number.POSITIVE_INFINITY);
      isDue = false;
      lowest = Number.POSITIVE_INFINITY;
      const wanted = begin();
      const after = { storeId, position: Number.isFinite(position) ? position : 0 };
      current = wanted && feed.subscribe({ ...consumer, ...wanted, after });
    }
    moving = null;
  };

  return {
    position: () => current?.position() ?? null,
    move(from = Number.POSITIVE_INFINITY) {
      lowest = Math.min(lowest, from);
      isDue = true;
      moving ??= Promise.resolve().then(run);
      return moving;
    },
    async stop() {
      stopped = true;
      await moving;
      await current?.stop();
    },
  };
}
