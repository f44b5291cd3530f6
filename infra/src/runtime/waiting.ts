import type { Runtime } from './runtime.ts';

/** Waits that end: with the result, when the time is up, or when nobody wants the result any more. */

/**
 * The work's result, or after `ms` whatever `late` returns or throws. The work goes on: its caller decides what becomes of it.
 */
export const withinTime = <T, L>(
  runtime: Pick<Runtime, 'setTimer'>,
  ms: number,
  work: Promise<T>,
  late: () => L,
): Promise<T | L> =>
  // One promise in place of a race of two: every command waits here.
  new Promise((resolve, reject) => {
    const cancel = runtime.setTimer(ms, () => resolve(Promise.try(late)));
    work.then(
      (result) => {
        cancel();
        resolve(result);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });

/** Resolves when the signal is aborted, at once if it already is. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
