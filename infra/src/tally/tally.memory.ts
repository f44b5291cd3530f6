import { LRUCache } from 'lru-cache';
import type { Runtime } from '../runtime/runtime.ts';
import { NOTHING_COUNTED, type Standing, type Tallies, type Tally, type TallyOptions } from './tally.ts';

/** Tallies of one process, in its memory. */
export function memoryTallies({ monotonicMs }: Pick<Runtime, 'monotonicMs'>): Tallies {
  const tallies = new Map<string, Tally>();
  const open = ({ windowMs, keysMax }: TallyOptions): Tally => {
    const windows = new LRUCache<string, { startedMs: number; count: number }>({ max: keysMax });
    const standing = (key: string): Standing => {
      const window = windows.get(key);
      const leftMs = window ? window.startedMs + windowMs - monotonicMs() : 0;
      return window && leftMs > 0 ? { count: window.count, leftMs } : NOTHING_COUNTED;
    };
    return {
      async count(key) {
        const { count, leftMs } = standing(key);
        const startedMs = count === 0 ? monotonicMs() : monotonicMs() + leftMs - windowMs;
        windows.set(key, { startedMs, count: count + 1 });
        return { count: count + 1, leftMs: count === 0 ? windowMs : leftMs };
      },
      read: async (key) => standing(key),
    };
  };
  return {
    tally(name, options) {
      const tally = tallies.get(name) ?? open(options);
      tallies.set(name, tally);
      return tally;
    },
    close: async () => undefined,
  };
}
