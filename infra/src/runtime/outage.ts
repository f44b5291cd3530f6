import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';

/**
 * What a process says while a server is away: one warning that names the server and what its absence means, at most one
 * reminder a minute, and one line once it answers again, with how long that took. Everybody in the process who calls
 * that server tells the same outage, so the log has these lines once, however many calls fail meanwhile.
 */
export type Outage = {
  /** A call failed because the server, or the way to it, is away. */
  failed(error: unknown): void;
  /** A call was answered. Costs nothing while the server is not away. */
  answered(): void;
  isAway(): boolean;
};

export type OutageOptions = {
  log: Log;
  runtime: Pick<Runtime, 'monotonicMs'>;
  /** Begins the lines: `PostgreSQL (127.0.0.1:5432)`. No user and no password. */
  server: string;
  /** What does not happen until it answers: `nothing is read or written`. */
  meaning: string;
  /** What it is, until when, and what it then does: `away`, `it answers` and `answers again` when absent. */
  trouble?: string;
  until?: string;
  over?: string;
  /** Says an error in a few words; the first line of its message when absent. */
  reasonOf?: (error: unknown) => string;
};

/** Milliseconds: often enough to find an outage in the last screenful of a log, seldom enough not to fill it. */
export const REMIND_EVERY_MS = 60_000;

export function outage(options: OutageOptions): Outage {
  const { log, runtime, server, meaning, reasonOf = firstLine } = options;
  const { trouble = 'away', until = 'it answers', over = 'answers again' } = options;
  let away: { sinceMs: number; saidMs: number; failures: number } | null = null;
  return {
    failed(error) {
      const nowMs = runtime.monotonicMs();
      if (away === null) {
        away = { sinceMs: nowMs, saidMs: nowMs, failures: 1 };
        log.warn({ reason: reasonOf(error) }, `${server} is ${trouble}: until ${until}, ${meaning}`);
        return;
      }
      away.failures += 1;
      if (nowMs - away.saidMs < REMIND_EVERY_MS) return;
      away.saidMs = nowMs;
      const about = { reason: reasonOf(error), failures: away.failures };
      log.warn(about, `${server} is still ${trouble}, for ${lasting(nowMs - away.sinceMs)}: ${meaning}`);
    },
    answered() {
      if (away === null) return;
      const { sinceMs, failures } = away;
      away = null;
      log.info({ failures }, `${server} ${over} after ${lasting(runtime.monotonicMs() - sinceMs)}`);
    },
    isAway: () => away !== null,
  };
}

/**
 * The level at which a call's failure is told: a detail where the server was away, which the outage's own lines tell; the
 * client that noticed it has seen to those. Any other failure has the level that is given.
 */
export const unlessOutage = <L extends 'warn' | 'error'>(error: unknown, level: L): L | 'debug' =>
  isServerAway(error) ? 'debug' : level;

/** The server or the way to it is away, or has no space, rather than that it refused; also where that is only the cause. */
export function isServerAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (AWAY_CODES.has(code) || code.startsWith('08') || BROKEN_WAY.test(error.message)) return true;
  if (error instanceof AggregateError && error.errors.some(isServerAway)) return true;
  return error.cause !== error && isServerAway(error.cause);
}

const AWAY_CODES = new Set([
  '53100', // PostgreSQL: its disk is full, which the pools' clients have told
  '57P01', // the administrator ends the connection
  '57P02', // a crash ends it
  '57P03', // it is starting or stopping
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
/** Errors of clients that have no code. */
const BROKEN_WAY =
  /connection (terminated|ended)|timeout exceeded when trying to connect|client has encountered a connection error/i;

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.split('\n', 1)[0] ?? '';
}

/** `0.4 s`, `12 s`, `3 min 5 s`. */
function lasting(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
