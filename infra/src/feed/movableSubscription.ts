import type { Filter } from '../eventStore/eventStore.ts';
import type { Consumer, Feed, Subscription } from './feed.ts';

/**
 * One subscription for a changing set of things, such as the symbols that a process owns: when the set changes it is
 * ended and begun anew, early enough for those that have joined. So the same events may be given again, and what they
 * are given to must pass over what it has. Changes that come together share one new beginning.
 */
export type MovableSubscription = {
  /** Position given (and handled) so far; null while nothing is wanted. */
  position(): number | null;
  /**
   * Begins anew at the lower one of `from` and where it stood. Resolves when that is done. To be called in the same
   * breath as the set is changed; a handler must not await it.
   */
  move(from?: number): Promise<void>;
  stop(): Promise<void>;
};

export type MovableConsumer<E> = Pick<Consumer<E>, 'name' | 'batchEventsMax'> & {
  /**
   * What is wanted now, and who is given it: those of this very moment, for what has joined later may lack what
   * came before. Null: nothing is wanted.
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
