import { flushCompileCache } from 'node:module';
import { ConfigError, EXIT_USAGE } from './config.ts';
import type { Log } from './log.ts';
import { StartRefused } from './startRefused.ts';

/**
 * How a process ends. Closers run in reverse order of registration, so that what was opened last (the listener) is
 * closed first and the database last. Nothing here is needed for safety: a killed process loses nothing either.
 */
export type Shutdown = {
  /** Aborted when the end begins: long waits give up. */
  readonly signal: AbortSignal;
  onShutdown(name: string, close: () => Promise<void> | void): void;
  /** Closes everything, then exits with `exitCode`; calling it again changes nothing. */
  begin(reason: string, exitCode?: number): Promise<void>;
};

/** Then the process exits whatever still hangs: below the 10 s after which process managers kill. */
export const SHUTDOWN_DEADLINE_MS = 9_500;
export const EXIT_FAILED = 1;
/** A command was interrupted before it was done; shells say the same of Ctrl-C. */
export const EXIT_INTERRUPTED = 130;
/** A Ctrl-C may arrive twice, from the terminal and passed on by npm: what follows so soon is the same one. */
export const SIGNAL_REPEAT_MS = 500;

/** Takes over SIGINT, SIGTERM and what nobody caught. A second signal exits at once, unless it is the first one's echo. */
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

  let firstMs = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (!ending) {
        firstMs = performance.now();
        void begin(signal);
      } else if (performance.now() - firstMs > SIGNAL_REPEAT_MS) {
        exit(EXIT_FAILED);
      }
    });
  }
  // Whoever started this process and meant to look after it was killed: nobody would restart or stop it.
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
  return { signal: aborter.signal, onShutdown: (name, close) => void closers.push({ name, close }), begin };
}

/**
 * Node keeps compiled code when a process ends by itself, which one that is killed never does: its successor, which somebody
 * waits for, would compile everything anew. By then the code that a start runs has run, and is kept compiled, too.
 */
const COMPILED_KEPT_AFTER_MS = 5_000;

/** Runs a service's `main`; a failed start is told in words on standard error: exit code 2 for configuration, else 1. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
    setTimeout(flushCompileCache, COMPILED_KEPT_AFTER_MS).unref();
  } catch (error) {
    const isUsage = error instanceof ConfigError;
    const isSaid = isUsage || error instanceof StartRefused;
    process.stderr.write(`${isSaid ? error.message : describe(error)}\n`);
    process.exit(isUsage ? EXIT_USAGE : EXIT_FAILED);
  }
}

const describe = (error: unknown) =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
