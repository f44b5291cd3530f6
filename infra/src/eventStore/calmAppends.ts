import type { Runtime } from '../runtime/runtime.ts';
import type { EventStore } from './eventStore.ts';

/**
 * The store, telling of appends at most every `everyMs`: the first one at once, what follows together. Under load
 * several processes append hundreds of times a second, and reading the head after each of them would cost
 * more than projecting what is read.
 */
export function calmAppends<E>(store: EventStore<E>, runtime: Runtime, everyMs: number): EventStore<E> {
  return {
    ...store,
    onAppend(listener) {
      let toldMs = Number.NEGATIVE_INFINITY;
      let cancel: (() => void) | null = null;
      const tell = () => {
        cancel = null;
        toldMs = runtime.monotonicMs();
        listener();
      };
      const leave = store.onAppend(() => {
        if (cancel) return;
        const waitMs = toldMs + everyMs - runtime.monotonicMs();
        if (waitMs <= 0) tell();
        else cancel = runtime.setTimer(waitMs, tell);
      });
      return () => {
        leave();
        cancel?.();
      };
    },
  };
}
