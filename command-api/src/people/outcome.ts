import { AppenderClosed, AppendQueueFull, isTransient, type Runtime, UnknownOutcome } from '@brokerx/infra';
import { withinTime } from '@brokerx/infra/runtime/waiting.ts';
import { AccountBusy } from '../account/accounts.ts';
import { problemOf, tryLater } from '../commands/refusals.ts';
import { StreamContended } from './foldedStreams.ts';
import type { Refused } from './refused.ts';
import { NoTurn } from './signIn/fairTurns.ts';

/** Longer than a full queue of password hashes; the client's own time-out is usually 10 s. */
const PEOPLE_TIMEOUT_MS = 8_000;

/**
 * Waits for an outcome for a bounded time. Failures that pass become problems that ask to try again: an unknown outcome
 * is never reported as a refusal, and repeating a command with its key tells its outcome.
 */
export async function outcomeOf<T>(runtime: Runtime, work: Promise<T>): Promise<T> {
  try {
    return await withinTime(runtime, PEOPLE_TIMEOUT_MS, work, () => {
      throw tryLater(runtime, 'UNAVAILABLE', { detail: 'the outcome is not known yet' });
    });
  } catch (cause) {
    if (cause instanceof NoTurn || cause instanceof AppendQueueFull) {
      throw tryLater(runtime, 'OVERLOADED', { cause });
    }
    if (isPassing(cause)) throw tryLater(runtime, 'UNAVAILABLE', { cause });
    throw cause;
  }
}

const isPassing = (error: unknown): boolean =>
  error instanceof StreamContended ||
  error instanceof AccountBusy ||
  error instanceof AppenderClosed ||
  error instanceof UnknownOutcome ||
  isTransient(error);

export function refusalProblem({ refused, retryAfterMs }: Refused) {
  if (retryAfterMs === undefined) return problemOf({ code: refused, detail: '' });
  const seconds = String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
  const detail = `try again in ${seconds} s`;
  return problemOf({ code: refused, detail }, { headers: { 'retry-after': seconds } });
}
