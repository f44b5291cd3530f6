import type { Log } from '@brokerx/infra/runtime/log.ts';
import { heardElsewhere } from '@brokerx/infra/runtime/mayFail.ts';
import { type Runtime, sleep } from '@brokerx/infra/runtime/runtime.ts';

/**
 * Keeps a process running: starts it, waits for its end, starts it again. The caller's `start` decides what it is, such as a
 * service or the database.
 */
export type Running = {
  pid: number;
  /** Where it reports that it is ready; null: it counts as ready at once. */
  readyUrl: string | null;
  /** Resolves with the reason when it has ended, for whatever reason. */
  exited: Promise<Ended>;
  /** Tells it that the whole installation is ready. */
  sendStartSignal?(): void;
  /** Stops it, by force if it does not heed. */
  stop(): Promise<void>;
};

export type Ended = {
  reason: string;
  code: number | null;
  /** The last lines of its standard error. */
  stderr?: string;
};

export type Supervised = {
  name: string;
  /** The running process; null between an end and the next start. */
  current(): Running | null;
  /** Resolves when it is ready for the first time; rejects with `NotReady` if that fails. */
  ready: Promise<void>;
  /** Stops it for good. */
  stop(): Promise<void>;
};

export class NotReady extends Error {
  override name = 'NotReady';
}

export type SuperviseOptions = {
  name: string;
  start(): Promise<Running>;
  /** Whether a start that failed with this error may succeed the next time; never when absent. */
  mayPass?(error: unknown): boolean;
  /** Whether after this error no start can succeed any more; never when absent. */
  isFinal?(error: unknown): boolean;
  /** Milliseconds for the first start, all attempts together. */
  readyTimeoutMs: number;
  log: Log;
  runtime: Runtime;
  /** Called with every new process, and with null when it has ended. */
  onProcess?(running: Running | null): void;
};

/** Milliseconds before a restart, doubling: the first seems immediate to a person, the last spares the machine. */
const BACK_OFF_MIN_MS = 100;
const BACK_OFF_MAX_MS = 5_000;
/** Milliseconds after which a running process counts as healthy, and its earlier failures are forgotten. */
const HEALTHY_AFTER_MS = 30_000;
/** Attempts before a service that was never ready is given up. */
const FIRST_ATTEMPTS_MAX = 5;
/** The exit code of a process whose configuration is wrong: trying again changes nothing. */
const EXIT_USAGE = 2;
const READY_POLL_MS = 100;
const READY_REQUEST_TIMEOUT_MS = 2_000;

export function supervise(options: SuperviseOptions): Supervised {
  const { name, start, log, runtime, onProcess = () => {} } = options;
  let current: Running | null = null;
  let stopped = false;
  let everReady = false;
  const first = Promise.withResolvers<void>();
  heardElsewhere(first.promise);
  const wakeUp = Promise.withResolvers<void>();

  const run = async () => {
    for (let failures = 0; !stopped; ) {
      const beganMs = runtime.monotonicMs();
      let end: Ended;
      try {
        current = await start();
        onProcess(current);
        if (stopped) await current.stop(); // `stop` was called while it was starting.
        void watchReadiness(current);
        end = await current.exited;
      } catch (error) {
        end = { reason: error instanceof Error ? error.message : String(error), code: null };
        if (!everReady && !options.mayPass?.(error)) {
          first.reject(new NotReady(`${name}: ${end.reason}`, { cause: error }));
          stopped = true;
        }
        if (everReady && options.isFinal?.(error)) {
          current = null;
          log.error(`${name} is not started again: ${end.reason}`);
          return;
        }
      }
      current = null;
      onProcess(null);
      if (stopped) break;
      failures = runtime.monotonicMs() - beganMs > HEALTHY_AFTER_MS ? 1 : failures + 1;
      if (end.code === EXIT_USAGE || (!everReady && failures >= FIRST_ATTEMPTS_MAX)) {
        first.reject(new NotReady(`${name} does not start (${end.reason})${stderrOf(end)}`));
        if (everReady) log.error({ reason: end.reason }, `${name} ended and is not started again`);
        break;
      }
      const delayMs = Math.min(BACK_OFF_MIN_MS * 2 ** (failures - 1), BACK_OFF_MAX_MS);
      log.warn({ reason: end.reason }, `${name} ended; starting it again in ${delayMs} ms`);
      await Promise.race([sleep(runtime, delayMs), wakeUp.promise]);
    }
  };

  const watchReadiness = async (running: Running) => {
    if (!(await becomesReady(running, runtime, () => stopped || current !== running))) return;
    everReady = true;
    first.resolve();
  };

  const cancelTimeout = runtime.setTimer(options.readyTimeoutMs, () => {
    first.reject(new NotReady(`${name} was not ready within ${options.readyTimeoutMs / 1000} s`));
  });
  void first.promise.then(cancelTimeout, cancelTimeout);
  const ended = run();
  return {
    name,
    current: () => current,
    ready: first.promise,
    stop: async () => {
      stopped = true;
      wakeUp.resolve();
      first.reject(new NotReady(`${name} was stopped`));
      await current?.stop();
      await ended;
    },
  };
}

const stderrOf = ({ stderr }: Ended): string => (stderr ? `:\n${stderr}` : '');

/** True when the process reports that it is ready; false when `isOver`. */
async function becomesReady(running: Running, runtime: Runtime, isOver: () => boolean): Promise<boolean> {
  while (!isOver()) {
    if (running.readyUrl === null || (await answersOk(running.readyUrl))) return true;
    await sleep(runtime, READY_POLL_MS);
  }
  return false;
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(READY_REQUEST_TIMEOUT_MS) });
    await reply.arrayBuffer();
    return reply.ok;
  } catch {
    return false;
  }
}
