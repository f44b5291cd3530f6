import type { EventEmitter } from 'node:events';

/**
 * Ignoring errors on purpose: the only file of the client that does. Each function's name or its argument says why
 * nobody needs to learn of the error.
 */

/** The result, or undefined if the work fails. `because` is the reason, for readers of the calling code. */
export const mayFail = <T>(work: Promise<T>, _because: string): Promise<T | undefined> =>
  work.catch(() => undefined);

/** Other code that awaits this work gets its error. Without this, an error that nobody awaits yet would end the process. */
export const heardElsewhere = (work: Promise<unknown>): void => void work.catch(() => undefined);

/** Every error of this emitter is followed by another event that has a listener, such as `close`. */
export function errorsHeardElsewhere<E extends Pick<EventEmitter, 'on'>>(emitter: E): E {
  emitter.on('error', () => undefined);
  return emitter;
}

/** Resolves after `ms` milliseconds, or as soon as the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
