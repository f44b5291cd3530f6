import type { Log } from '../runtime/log.ts';
import { unlessOutage } from '../runtime/outage.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { withinTime } from '../runtime/waiting.ts';
import type { Standing, Tallies, Tally } from './tally.ts';

/**
 * Tallies that are shared as long as those who share them can be reached, and of this process alone while they cannot.
 * Neither of the usual ways out would do: to let everybody in would make an outage the moment to guess passwords, to let
 * nobody in would make one of Redis one of all sign-ins. With n processes a limit is at most n times itself meanwhile.
 * Everything is counted here, too, so that what this process has seen holds whatever becomes of the shared counts.
 */
export function talliesWithFallback(options: {
  shared: Tallies;
  own: Tallies;
  runtime: Runtime;
  log?: Log | undefined;
}): Tallies {
  const { shared, own, runtime, log } = options;
  /** When one call is to find out whether the shared ones answer again; undefined while they do. */
  let nextTryMs: number | undefined;
  let saidAt: 'warn' | 'debug' = 'debug';

  const sharedOrNull = async (call: () => Promise<Standing>): Promise<Standing | null> => {
    if (nextTryMs !== undefined) {
      if (runtime.monotonicMs() < nextTryMs) return null;
      nextTryMs = runtime.monotonicMs() + TRY_AGAIN_MS;
    }
    const answer = call().catch((error: unknown) => {
      if (nextTryMs === undefined) {
        saidAt = unlessOutage(error, 'warn');
        log?.[saidAt]({ err: error }, SAID_AWAY);
      }
      return null;
    });
    const standing = await withinTime(runtime, ANSWER_WITHIN_MS, answer, () => null);
    if (standing === null) nextTryMs = runtime.monotonicMs() + TRY_AGAIN_MS;
    else if (nextTryMs !== undefined) {
      nextTryMs = undefined;
      log?.[saidAt === 'warn' ? 'info' : 'debug']('limits are shared among all processes again');
    }
    return standing;
  };
  const stricter = (one: Standing, other: Standing | null) =>
    other !== null && other.count >= one.count ? other : one;

  return {
    tally(name, given): Tally {
      const [there, here] = [shared.tally(name, given), own.tally(name, given)];
      return {
        count: async (key) => {
          const counted = await here.count(key);
          return stricter(counted, await sharedOrNull(() => there.count(key)));
        },
        read: async (key) => stricter(await here.read(key), await sharedOrNull(() => there.read(key))),
      };
    },
    async close() {
      await Promise.all([shared.close(), own.close()]);
    },
  };
}

/** Milliseconds that somebody who signs in may be kept waiting for a count that takes less than one. */
const ANSWER_WITHIN_MS = 250;
/** While they are away, one call in this time asks for the shared ones; all others are answered at once. */
const TRY_AGAIN_MS = 1_000;
const SAID_AWAY = 'limits cannot be shared now; until they can, each process has its own';
