import type { Log } from '../runtime/log.ts';
import { unlessOutage } from '../runtime/outage.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { withinTime } from '../runtime/waiting.ts';
import type { Standing, Tallies, Tally } from './tally.ts';

/**
 * Tallies that all processes share while the shared ones can be reached; meanwhile each process uses its own. The two usual
 * ways out are both bad: admitting everybody would make an outage the time to guess passwords, admitting nobody would turn
 * an outage of Redis into one of all sign-ins. With n processes a limit is at most n times as high during an outage.
 * Every count is also kept here, so that this process's own counts hold whatever happens to the shared ones.
 */
export function talliesWithFallback(options: {
  shared: Tallies;
  own: Tallies;
  runtime: Runtime;
  log?: Log | undefined;
}): Tallies {
  const { shared, own, runtime, log } = options;
  /** When a call may next try the shared tallies again; undefined while they answer. */
  let nextTryMs: number | undefined;
  /** The level at which their outage was logged. */
  let outageLevel: 'warn' | 'debug' = 'debug';

  const sharedOrNull = async (call: () => Promise<Standing>): Promise<Standing | null> => {
    if (nextTryMs !== undefined) {
      if (runtime.monotonicMs() < nextTryMs) return null;
      nextTryMs = runtime.monotonicMs() + TRY_AGAIN_MS;
    }
    const answer = call().catch((error: unknown) => {
      if (nextTryMs === undefined) {
        outageLevel = unlessOutage(error, 'warn');
        log?.[outageLevel]({ err: error }, NOT_SHARED);
      }
      return null;
    });
    const standing = await withinTime(runtime, ANSWER_WITHIN_MS, answer, () => null);
    if (standing === null) nextTryMs = runtime.monotonicMs() + TRY_AGAIN_MS;
    else if (nextTryMs !== undefined) {
      nextTryMs = undefined;
      log?.[outageLevel === 'warn' ? 'info' : 'debug']('limits are shared among all processes again');
    }
    return standing;
  };
  const stricter = (one: Standing, other: Standing | null) =>
    other !== null && other.count >= one.count ? other : one;

  return {
    tally(name, tallyOptions): Tally {
      const sharedTally = shared.tally(name, tallyOptions);
      const ownTally = own.tally(name, tallyOptions);
      return {
        count: async (key) => {
          const standing = await ownTally.count(key);
          return stricter(standing, await sharedOrNull(() => sharedTally.count(key)));
        },
        read: async (key) =>
          stricter(await ownTally.read(key), await sharedOrNull(() => sharedTally.read(key))),
      };
    },
    async close() {
      await Promise.all([shared.close(), own.close()]);
    },
  };
}

/** Milliseconds for which a sign-in waits for a shared count, which usually takes less than one. */
const ANSWER_WITHIN_MS = 250;
/** Milliseconds between two tries during an outage: one call tries, all others use the own tallies at once. */
const TRY_AGAIN_MS = 1_000;
const NOT_SHARED = 'limits cannot be shared now; until they can, each process has its own';
