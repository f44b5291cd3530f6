import type { Runtime } from '../runtime/runtime.ts';
import type { EventStore } from './eventStore.ts';

/**
 * The store with at most one append notification every `everyMs`: the first at once, later ones together. Under load several
 * processes append hundreds of times a second, and reading the head after each append would cost more than projecting what
 * was read.
 */
export function calmAppends<E>(store: EventStore<E>, runtime: Runtime, everyMs: number): EventStore<E> {
  return {
    ...store,
    onAppend(listener) {
      let notifiedMs = Number.NEGATIVE_INFINITY;
      let cancel: (() => void) | null = null;
      const notify = () => {
        cancel = null;
        notifiedMs = runtime.monotonicMs();
        listener();
      };
      const unsubscribe = store.onAppend(() => {
        if (cancel) return;
        const waitMs = notifiedMs + everyMs - runtime.monotonicMs();
        if (waitMs <= 0) notify();
        else cancel = runtime.setTimer(waitMs, notify);
      });
      return () => {
        unsubscribe();
        cancel?.();
      };
    },
  };
}
