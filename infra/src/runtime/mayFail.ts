import type { EventEmitter } from 'node:events';

/**
 * The only place that drops errors. Each caller has to say why nobody needs to know: `because` is for readers of the code.
 * A test forbids any other way.
 */

/** The work's result, or undefined if it failed. */
export const mayFail = <T>(work: Promise<T>, _because: string): Promise<T | undefined> =>
  work.catch(() => undefined);

/** Keeps a failure from ending the process while nobody awaits the work. Whoever awaits it still gets the failure. */
export const heardElsewhere = (work: Promise<unknown>): void => void work.catch(() => undefined);

/** For emitters whose errors are followed by another event that the caller handles, such as `close`. */
export function errorsHeardElsewhere<E extends Pick<EventEmitter, 'on'>>(emitter: E): E {
  emitter.on('error', () => undefined);
  return emitter;
}
