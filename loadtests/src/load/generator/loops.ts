import { pause } from '@brokerx/client';
import type { Action } from '../scenarios/scenario.ts';
import type { Schedule } from './schedule.ts';

/** The two ways of driving: at fixed times, or by users who wait for their answers. Times are those of `performance.now()`. */

/** Sent in one turn at most, so that replies are read in between also when much is overdue. */
const TURN_MAX = 256;
/** After a refusal for too much, or no reply, a user waits: else it would only ask again and again. */
const PAUSE_AFTER_REFUSAL_MS = 200;

/** Sends each request when it is due, whatever the replies do; what is not `own` is another process' to send. */
export async function openLoop(
  { total, dueMs }: Schedule,
  beginMs: number,
  send: (n: number, dueMs: number) => void,
  stop: AbortSignal,
): Promise<void> {
  for (let n = 0; n < total && !stop.aborted; ) {
    const now = performance.now();
    for (let turn = 0; turn < TURN_MAX && n < total && beginMs + dueMs(n) <= now; turn++) {
      send(n, beginMs + dueMs(n));
      n += 1;
    }
    if (n === total) return;
    const waitMs = beginMs + dueMs(n) - performance.now();
    if (waitMs <= 0) await new Promise((resolve) => setImmediate(resolve));
    else await pause(waitMs, stop);
  }
}

export type UserLoop = {
  beginMs: number;
  endMs: number;
  /** The user's `step`-th action. */
  action: (step: number) => Action;
  /** Actions after which the user rests. */
  journeyLength: number;
  restMs: number;
  perform: (action: Action, step: number, dueMs: number, done: (status: number) => void) => void;
};

/** One user: the next request goes out when the one before is answered. */
export async function userLoop(options: UserLoop, stop: AbortSignal): Promise<void> {
  const { beginMs, endMs, action, journeyLength, restMs, perform } = options;
  await pause(Math.max(0, beginMs - performance.now()), stop);
  for (let step = 0; performance.now() < endMs && !stop.aborted; step++) {
    const status = await new Promise<number>((resolve) =>
      perform(action(step), step, performance.now(), resolve),
    );
    if (status === 0 || status === 429 || status >= 500) await pause(PAUSE_AFTER_REFUSAL_MS, stop);
    if (restMs > 0 && (step + 1) % journeyLength === 0) await pause(restMs, stop);
  }
}
