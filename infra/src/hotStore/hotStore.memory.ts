import type { Cursor } from '../eventStore/cursor.ts';
import type { HotStore, HotView } from './hotStore.ts';

/** The hot store in memory, for unit tests and simulation. */
export function memoryHotStore(): HotStore {
  type State = {
    cursor: Cursor | null;
    values: Map<string, string>;
    listeners: Set<(position: number) => void>;
  };
  const states = new Map<string, State>();

  const view = (name: string, version: number): HotView => {
    const key = JSON.stringify([name, version]);
    const state = states.get(key) ?? { cursor: null, values: new Map(), listeners: new Set() };
    states.set(key, state);
    return {
      async cursor() {
        return state.cursor && { ...state.cursor };
      },
      async write({ from, to, set, remove = [] }) {
        if (!sameCursor(state.cursor, from)) return 'stale';
        state.cursor = { ...to };
        for (const gone of remove) state.values.delete(gone);
        for (const [changed, value] of set) state.values.set(changed, value);
        for (const listener of state.listeners) queueMicrotask(() => listener(to.position));
        return 'ok';
      },
      async read(keys) {
        return {
          values: keys.map((each) => state.values.get(each) ?? null),
          cursor: state.cursor && { ...state.cursor },
        };
      },
      async clear() {
        state.cursor = null;
        state.values.clear();
      },
      onChange(listener) {
        state.listeners.add(listener);
        return () => state.listeners.delete(listener);
      },
    };
  };

  return {
    view,
    async close() {
      for (const { listeners } of states.values()) listeners.clear();
    },
  };
}

const sameCursor = (a: Cursor | null, b: Cursor | null) =>
  a?.storeId === b?.storeId && a?.position === b?.position && a?.landmark?.commitId === b?.landmark?.commitId;
