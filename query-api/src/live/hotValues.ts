import type { Cursor, OwnView, Runtime } from '@brokerx/infra';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';

/**
 * The newest values of the hot view's keys that somebody here watches (depth, ticker), read once for all watchers when the
 * view tells that it changed, at most every `READ_INTERVAL_MS`. What nobody watches is not read.
 */
export type HotValues = {
  /** Calls back with the JSON text of the key's value whenever it is another one; returns the function that ends it. */
  watch(key: string, listener: (text: string) => void): () => void;
  /** The hot view moved. */
  changed(): void;
  /** Those who watch now. */
  count(): number;
  close(): void;
};

/** Milliseconds: ten a second is as much as an eye can follow. */
export const READ_INTERVAL_MS = 100;

export function hotValues(options: {
  view: Pick<OwnView, 'read'>;
  /** Whether values that reflect this may be shown: they may be of a view that goes back. */
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
      // Where they may not be, the view is being written again, and tells of each step.
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
