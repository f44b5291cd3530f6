import type { EventEmitter } from 'node:events';

/**
 * The only place where an error is passed over, and only with the reason why nobody has to hear of it. `because` is for
 * whoever reads the code that calls; a test forbids every other way.
 */

/** The result, or undefined where there is none. */
export const mayFail = <T>(work: Promise<T>, _because: string): Promise<T | undefined> =>
  work.catch(() => undefined);

/** Whoever waits for it hears of its failure; that nobody waits yet, or any more, must not end the process. */
export const heardElsewhere = (work: Promise<unknown>): void => void work.catch(() => undefined);

/** Its errors are followed by something that is listened to, such as its close. */
export function errorsHeardElsewhere<E extends Pick<EventEmitter, 'on'>>(emitter: E): E {
  emitter.on('error', () => undefined);
  return emitter;
}
