/**
 * The moment at which everything of an installation is ready. On one machine a start is as long as what the processor
 * has to do until then; what nobody waits for (settling and projecting what happened before) begins afterwards.
 * The supervisor tells it over the channel to its child; a process that has no such supervisor begins at once.
 */
export type Opening = Promise<void>;

/** `BROKERX_OPENING` of a process that will be told. */
export const TOLD = 'told';
/** What it is told. */
export const OPEN = 'open';

/** Resolves at the opening, or when `ending` is aborted; at once where nobody will tell of it. */
export function opening(announced: typeof TOLD | undefined, ending: AbortSignal): Opening {
  if (announced !== TOLD || !process.connected) return Promise.resolve();
  return new Promise((resolve) => {
    const hear = (message: unknown) => {
      if (message !== OPEN) return;
      process.off('message', hear);
      resolve();
    };
    process.on('message', hear);
    ending.addEventListener('abort', () => resolve(), { once: true });
  });
}
