import type { Runtime } from './runtime.ts';

/** Waits that end: with the result, when the time is up, or when nobody wants the result any more. */

/**
 * The work's result, or after `ms` whatever `late` returns or throws. The work goes on: its caller decides what becomes of it.
 */
export async function withinTime<T, L>(
  runtime: Pick<Runtime, 'setTimer'>,
  ms: number,
  work: Promise<T>,
  late: () => L,
): Promise<T | L> {
  const timeUp = Promise.withResolvers<L>();
  const cancel = runtime.setTimer(ms, () => timeUp.resolve(Promise.try(late)));
  try {
    return await Promise.race([work, timeUp.promise]);
  } finally {
    cancel();
  }
}

/** Resolves when the signal is aborted, at once if it already is. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
