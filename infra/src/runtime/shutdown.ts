import { flushCompileCache } from 'node:module';
import { ConfigError, EXIT_USAGE } from './config.ts';
import type { Log } from './log.ts';

/**
 * How a process ends. Closers run in reverse order of registration: the listener, opened last, is closed first, and the
 * database last. Safety does not depend on any of it: a killed process loses nothing either.
 */
export type Shutdown = {
  /** Aborted when the shutdown begins: long waits give up. */
  readonly signal: AbortSignal;
  /** Registers a closer; its name is for the log. */
  onShutdown(name: string, close: () => Promise<void> | void): void;
  /** Closes everything, then exits with `exitCode`; calling it again changes nothing. */
  begin(reason: string, exitCode?: number): Promise<void>;
  /** Registers the resource to be closed, and returns it. */
  keep: Keep;
};

export type Keep = <R extends { close(): Promise<void> | void } | { stop(): Promise<void> }>(
  name: string,
  resource: R,
) => R;

/** Registers resources, which know how they are closed, where only closers can be registered. */
export const keepWith =
  (onShutdown: Shutdown['onShutdown']): Keep =>
  (name, resource) => {
    onShutdown(name, () => ('close' in resource ? resource.close() : resource.stop()));
    return resource;
  };

/** Milliseconds for all closers together; then the process exits. Process managers kill after 10 s. */
export const SHUTDOWN_DEADLINE_MS = 9_500;
export const EXIT_FAILED = 1;
/** A command was interrupted before it was done: 128 + SIGINT, as shells have it. */
export const EXIT_INTERRUPTED = 130;
/** Milliseconds in which a second Ctrl-C counts as the first: it may come from the terminal and again through npm. */
export const SIGNAL_REPEAT_MS = 500;

/** Why a start is refused, in words for a person. `runMain` prints them without a stack. */
export class StartRefused extends Error {
  override name = 'StartRefused';
}

/** Handles SIGINT, SIGTERM and uncaught errors. A second signal exits at once, unless it repeats the first. */
export function createShutdown(log: Log, exit: (code: number) => void = process.exit): Shutdown {
  const closers: { name: string; close: () => Promise<void> | void }[] = [];
  const aborter = new AbortController();
  let ending: Promise<void> | null = null;

  const end = async (reason: string, exitCode: number) => {
    log.info({ reason }, 'stopping');
    aborter.abort();
    const deadline = setTimeout(() => {
      log.error(`not stopped within ${SHUTDOWN_DEADLINE_MS} ms: exiting`);
      exit(EXIT_FAILED);
    }, SHUTDOWN_DEADLINE_MS);
    let failed = false;
    for (const { name, close } of closers.toReversed()) {
      try {
        await close();
      } catch (err) {
        failed = true;
        log.error({ err }, `closing ${name} failed`);
      }
    }
    clearTimeout(deadline);
    log.info('stopped');
    exit(failed ? EXIT_FAILED : exitCode);
  };
  const begin = (reason: string, exitCode = 0) => {
    ending ??= end(reason, exitCode);
    return ending;
  };

  let firstSignalMs = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (!ending) {
        firstSignalMs = performance.now();
        void begin(signal);
      } else if (performance.now() - firstSignalMs > SIGNAL_REPEAT_MS) {
        exit(EXIT_FAILED);
      }
    });
  }
  // The supervisor of this process was killed: nothing else would restart or stop it.
  if (process.connected) {
    process.once('disconnect', () => void begin('the supervisor is gone'));
    process.channel?.unref();
  }
  // The state is unknown after either: no closer can be trusted, and the events are safe.
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'uncaught exception');
    exit(EXIT_FAILED);
  });
  process.on('unhandledRejection', (err) => {
    log.fatal({ err }, 'unhandled rejection');
    exit(EXIT_FAILED);
  });
  const onShutdown: Shutdown['onShutdown'] = (name, close) => void closers.push({ name, close });
  return { signal: aborter.signal, onShutdown, begin, keep: keepWith(onShutdown) };
}

/**
 * Milliseconds after a start at which its compiled code is written to Node's cache: all that a start runs has run by then.
 * Node itself writes it only when a process ends in order, so the successor of a killed one would compile everything again.
 */
const COMPILE_CACHE_AFTER_MS = 5_000;

/** Runs a service's `main`. Prints on standard error why a start failed; exit code 2 for configuration, else 1. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
    setTimeout(flushCompileCache, COMPILE_CACHE_AFTER_MS).unref();
  } catch (error) {
    const isUsage = error instanceof ConfigError;
    const isForPeople = isUsage || error instanceof StartRefused;
    process.stderr.write(`${isForPeople ? error.message : describe(error)}\n`);
    process.exit(isUsage ? EXIT_USAGE : EXIT_FAILED);
  }
}

const describe = (error: unknown) =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
