import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';

/**
 * Logs one outage of a server: a warning with the server and what its absence means, at most one reminder a minute, and a
 * line with the duration once it answers again. All callers of the server in a process share the outage, so that the log
 * has these lines once, however many calls fail.
 */
export type Outage = {
  /** A call failed because the server, or the way to it, is away. */
  failed(error: unknown): void;
  /** A call was answered. Cheap, so that it can be called for every answer. */
  answered(): void;
  isAway(): boolean;
};

export type OutageOptions = {
  log: Log;
  runtime: Pick<Runtime, 'monotonicMs'>;
  /** The server, as every line begins: `PostgreSQL (127.0.0.1:5432)`. No user and no password. */
  server: string;
  /** What the outage means: what stops, what goes on, what is done about it. Such as `nothing is read or written`. */
  meaning: string;
  /** The server's trouble; `away` when absent. */
  trouble?: string;
  /** What ends the trouble; `it answers` when absent. */
  until?: string;
  /** What the line about the end says; `answers again` when absent. */
  over?: string;
  /** An error's reason in a few words; the first line of its message when absent. */
  reasonOf?: (error: unknown) => string;
  /** Whether only a person can end this failure, by a setting or on the server; never when absent. */
  isFinal?: (error: unknown) => boolean;
  /**
   * Milliseconds after an answer in which a failure begins no outage: with several connections, the failed attempt may have
   * begun before the answered one.
   */
  settleMs?: number;
};

/** Milliseconds: often enough to find an outage in the last screenful of a log, seldom enough not to fill it. */
export const REMIND_EVERY_MS = 60_000;
/** Outages in `FLAPPING_MS` that are all logged; while the server comes and goes, at most one in `REMIND_EVERY_MS` is. */
export const LOGGED_EACH_MAX = 3;
/** Milliseconds. */
export const FLAPPING_MS = 300_000;

export function outage(options: OutageOptions): Outage {
  const {
    log,
    runtime,
    server,
    meaning,
    trouble = 'away',
    until = 'it answers',
    over = 'answers again',
    reasonOf = firstLine,
    isFinal = () => false,
    settleMs = 0,
  } = options;
  let away: { sinceMs: number; failures: number; warning: { ms: number; final: boolean } | null } | null =
    null;
  let answeredMs = Number.NEGATIVE_INFINITY;
  /** When the outages that were logged lately began. */
  let loggedMs: number[] = [];
  /** How many outages have ended without a line since then. */
  let unlogged = 0;

  const begin = (nowMs: number, error: unknown, failures: number) => {
    loggedMs = loggedMs.filter((ms) => nowMs - ms < FLAPPING_MS);
    if (loggedMs.length >= LOGGED_EACH_MAX && nowMs - (loggedMs.at(-1) ?? 0) < REMIND_EVERY_MS) return null;
    loggedMs.push(nowMs);
    const final = isFinal(error);
    const state = final ? 'cannot be used: until that is mended' : `is ${trouble}: until ${until}`;
    const again = unlogged > 0 ? ` comes and goes (${unlogged} more times since it was last told), and` : '';
    log.warn({ reason: reasonOf(error), failures }, `${server}${again} ${state}, ${meaning}`);
    unlogged = 0;
    return { ms: nowMs, final };
  };

  return {
    failed(error) {
      const nowMs = runtime.monotonicMs();
      if (away === null && nowMs - answeredMs < settleMs) return;
      away ??= { sinceMs: nowMs, failures: 0, warning: null };
      away.failures += 1;
      const { sinceMs, failures, warning } = away;
      if (warning === null) {
        away.warning = begin(nowMs, error, failures);
        return;
      }
      // The cause may now be one that only a person can end.
      const isWorse = isFinal(error) && !warning.final;
      if (nowMs - warning.ms < REMIND_EVERY_MS && !isWorse) return;
      away.warning = { ms: nowMs, final: warning.final || isWorse };
      const fields = { reason: reasonOf(error), failures };
      log.warn(fields, `${server} is still ${trouble}, for ${lasting(nowMs - sinceMs)}: ${meaning}`);
    },
    answered() {
      if (away === null) return;
      const { sinceMs, failures, warning } = away;
      away = null;
      answeredMs = runtime.monotonicMs();
      if (warning === null) unlogged += 1;
      else log.info({ failures }, `${server} ${over} after ${lasting(answeredMs - sinceMs)}`);
    },
    isAway: () => away !== null,
  };
}

/**
 * The outage that all callers of a server in this process share: the first failed call begins it, the first answered call
 * ends it.
 */
export function sharedOutage({
  log,
  ...options
}: Omit<OutageOptions, 'log'> & { log: Log | undefined }): Outage {
  if (!log) return UNLOGGED;
  const byServer = outagesByLog.get(log) ?? new Map<string, Outage>();
  outagesByLog.set(log, byServer);
  const shared = byServer.get(options.server) ?? outage({ log, ...options });
  byServer.set(options.server, shared);
  return shared;
}

/** A process has one log; tests have one each. */
const outagesByLog = new WeakMap<Log, Map<string, Outage>>();
const UNLOGGED: Outage = { failed: () => {}, answered: () => {}, isAway: () => false };

/**
 * The level at which to log a call's failure: `debug` if the server was away, because the client has logged the outage
 * itself; else `level`.
 */
export const unlessOutage = <L extends 'warn' | 'error'>(error: unknown, level: L): L | 'debug' =>
  isServerAway(error) ? 'debug' : level;

/** Whether an error, or its cause, means that the server or the way to it is away, or that its disk is full. Refusals do not. */
export function isServerAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (AWAY_CODES.has(code) || code.startsWith('08') || BROKEN_WAY.test(error.message)) return true;
  if (error instanceof AggregateError && error.errors.some(isServerAway)) return true;
  return error.cause !== error && isServerAway(error.cause);
}

const AWAY_CODES = new Set([
  '53100', // PostgreSQL's disk is full, which the pools have logged
  '57P01', // an administrator ended the connection
  '57P02', // a crash ended the connection
  '57P03', // PostgreSQL is starting or stopping
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
/** Messages of errors without a code, from pg, kafkajs and EventStoreDB. */
const BROKEN_WAY =
  /connection (terminated|ended)|timeout exceeded when trying to connect|client has encountered a connection error|^closed connection|^connection timeout|^request \w+\(.*\) timed out|\bUNAVAILABLE\b|^no reply within|got no reply\b|nothing listens at this address/i;

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
