/**
 * The start signal: the supervisor sends it to each service over the channel to its child once the whole installation is
 * ready. Until then the processor is left to what people wait for; settling and projecting what happened before begins
 * afterwards. A process without such a supervisor begins at once.
 */
export type StartSignal = Promise<void>;

/** `BROKERX_OPENING` of a process that has to wait for the signal. */
export const WAITS_FOR_SIGNAL = 'told';
/** The message that is the signal. */
export const START_MESSAGE = 'open';

/** Resolves with the start signal or when `stopping` is aborted; at once in a process that nobody will send it to. */
export function startSignal(
  setting: typeof WAITS_FOR_SIGNAL | undefined,
  stopping: AbortSignal,
): StartSignal {
  if (setting !== WAITS_FOR_SIGNAL || !process.connected) return Promise.resolve();
  return new Promise((resolve) => {
    const onMessage = (message: unknown) => {
      if (message !== START_MESSAGE) return;
      process.off('message', onMessage);
      resolve();
    };
    process.on('message', onMessage);
    stopping.addEventListener('abort', () => resolve(), { once: true });
  });
}
