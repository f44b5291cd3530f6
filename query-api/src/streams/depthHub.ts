import { depthKey } from '@brokerx/contracts';
import type { HotView, Runtime } from '@brokerx/infra';
import type { Log } from '@brokerx/infra/log.ts';

/**
 * The newest depth of every symbol that somebody here watches, read once for all watchers when the hot view tells
 * that it changed, at most every `DEPTH_INTERVAL_MS`. What nobody watches is not read.
 */
export type DepthHub = {
  /** Calls back with the JSON text of `DepthView` whenever it is another one; returns the function that ends it. */
  watch(symbol: string, listener: (text: string) => void): () => void;
  /** The hot view moved. */
  changed(): void;
  close(): void;
};

/** Milliseconds: ten a second is as much as an eye can follow. */
export const DEPTH_INTERVAL_MS = 100;

export function depthHub(options: { view: HotView; runtime: Runtime; log: Log }): DepthHub {
  const { view, runtime, log } = options;
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
    const symbols = [...watched.keys()];
    try {
      const { values } = symbols.length > 0 ? await view.read(symbols.map(depthKey)) : { values: [] };
      symbols.forEach((symbol, i) => {
        const entry = watched.get(symbol);
        const text = values[i] ?? null;
        if (!entry || text === null || text === entry.last) return;
        entry.last = text;
        for (const listener of entry.listeners) listener(text);
      });
    } catch (error) {
      again = true;
      log.warn({ err: error }, 'the depth of the watched symbols could not be read; it is read again');
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
    const waitMs = Math.max(0, readAtMs + DEPTH_INTERVAL_MS - runtime.monotonicMs());
    cancelTimer = runtime.setTimer(waitMs, () => void read());
  };

  return {
    watch(symbol, listener) {
      const entry = watched.get(symbol) ?? { listeners: new Set(), last: null };
      watched.set(symbol, entry);
      entry.listeners.add(listener);
      if (entry.last !== null) listener(entry.last);
      schedule();
      return () => {
        entry.listeners.delete(listener);
        if (entry.listeners.size === 0 && watched.get(symbol) === entry) watched.delete(symbol);
      };
    },
    changed: schedule,
    close() {
      closed = true;
      cancelTimer();
      watched.clear();
    },
  };
}
