import type { Cursor, OwnView, Runtime } from '@brokerx/infra';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';

/**
 * Passes the newest values of watched keys of the hot view (depth, ticker) on to their watchers. All watched keys are read
 * together when the view announces a change, at most every `READ_INTERVAL_MS`; other keys are not read.
 */
export type HotValues = {
  /** Calls the listener with the JSON text of the key's value whenever it changes; returns the function that ends it. */
  watch(key: string, listener: (text: string) => void): () => void;
  /** The hot view has changed. */
  changed(): void;
  /** Watchers at this moment. */
  count(): number;
  close(): void;
};

/** Milliseconds: an eye follows ten changes a second at most. */
export const READ_INTERVAL_MS = 100;

export function hotValues(options: {
  view: Pick<OwnView, 'read'>;
  /** True where values at this cursor may be shown: none newer were, since a view that is rebuilt goes back. */
  shows: (cursor: Cursor | null) => boolean;
  runtime: Runtime;
  log: Log;
}): HotValues {
  const { view, shows, runtime, log } = options;
  const watched = new Map<string, { listeners: Set<(text: string) => void>; last: string | null }>();
  let state: 'idle' | 'waiting' | 'reading' = 'idle';
  let again = false;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let cancelTimer: () => void = () => undefined;
  let closed = false;

  const read = async () => {
    state = 'reading';
    readAtMs = runtime.monotonicMs();
    again = false;
    const keys = [...watched.keys()];
    try {
      const { values, cursor } = keys.length > 0 ? await view.read(keys) : { values: [], cursor: null };
      // A view whose values may not be shown is being rebuilt, and announces each step.
      const shown = keys.length > 0 && shows(cursor) ? keys : [];
      shown.forEach((key, i) => {
        const entry = watched.get(key);
        const text = values[i] ?? null;
        if (!entry || text === null || text === entry.last) return;
        entry.last = text;
        for (const listener of entry.listeners) listener(text);
      });
    } catch (error) {
      again = true;
      log[unlessOutage(error, 'warn')](
        { err: error },
        'the watched values of the hot view could not be read; they are read again',
      );
    }
    state = 'idle';
    if (again) schedule();
  };
  const schedule = () => {
    if (closed || watched.size === 0 || state === 'waiting') return;
    if (state === 'reading') {
      again = true;
      return;
    }
    state = 'waiting';
    const waitMs = Math.max(0, readAtMs + READ_INTERVAL_MS - runtime.monotonicMs());
    cancelTimer = runtime.setTimer(waitMs, () => void read());
  };

  return {
    watch(key, listener) {
      const entry = watched.get(key) ?? { listeners: new Set(), last: null };
      watched.set(key, entry);
      entry.listeners.add(listener);
      if (entry.last !== null) listener(entry.last);
      schedule();
      return () => {
        entry.listeners.delete(listener);
        if (entry.listeners.size === 0 && watched.get(key) === entry) watched.delete(key);
      };
    },
    count: () => watched.values().reduce((sum, { listeners }) => sum + listeners.size, 0),
    changed: schedule,
    close() {
      closed = true;
      cancelTimer();
      watched.clear();
    },
  };
}
