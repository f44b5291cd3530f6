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
  /** What does not happen until it answers, what goes on, and what is done: `nothing is read or written`. */
  meaning: string;
  /** What it is, until when, and what it then does: `away`, `it answers` and `answers again` when absent. */
  trouble?: string;
  until?: string;
  over?: string;
  /** Says an error in a few words; the first line of its message when absent. */
  reasonOf?: (error: unknown) => string;
  /** Whether somebody has to mend a setting or the server before it can answer us; nobody has to when absent. */
  isFinal?: (error: unknown) => boolean;
  /**
   * Milliseconds after an answer in which a failure begins no outage: where several connections are tried at the same
   * time, the attempt of one may have begun before another was answered.
   */
  settleMs?: number;
};

/** Milliseconds: often enough to find an outage in the last screenful of a log, seldom enough not to fill it. */
export const REMIND_EVERY_MS = 60_000;
/** A server that comes and goes: so many outages in this time are told each; then at most one in `REMIND_EVERY_MS`. */
export const TOLD_EACH_MAX = 3;
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
  let away: { sinceMs: number; failures: number; said: { ms: number; final: boolean } | null } | null = null;
  let answeredMs = Number.NEGATIVE_INFINITY;
  /** When the last ones that were told began, and how many ended untold since. */
  let told: number[] = [];
  let untold = 0;

  const begin = (nowMs: number, error: unknown, failures: number) => {
    told = told.filter((ms) => nowMs - ms < FLAPPING_MS);
    if (told.length >= TOLD_EACH_MAX && nowMs - (told.at(-1) ?? 0) < REMIND_EVERY_MS) return null;
    told.push(nowMs);
    const final = isFinal(error);
    const what = final ? 'cannot be used: until that is mended' : `is ${trouble}: until ${until}`;
    const again = untold > 0 ? ` comes and goes (${untold} more times since it was last told), and` : '';
    log.warn({ reason: reasonOf(error), failures }, `${server}${again} ${what}, ${meaning}`);
    untold = 0;
    return { ms: nowMs, final };
  };

  return {
    failed(error) {
      const nowMs = runtime.monotonicMs();
      if (away === null && nowMs - answeredMs < settleMs) return;
      away ??= { sinceMs: nowMs, failures: 0, said: null };
      away.failures += 1;
      const { sinceMs, failures, said } = away;
      if (said === null) {
        away.said = begin(nowMs, error, failures);
        return;
      }
      // The cause may have become one that does not pass by itself.
      const isWorse = isFinal(error) && !said.final;
      if (nowMs - said.ms < REMIND_EVERY_MS && !isWorse) return;
      away.said = { ms: nowMs, final: said.final || isWorse };
      const about = { reason: reasonOf(error), failures };
      log.warn(about, `${server} is still ${trouble}, for ${lasting(nowMs - sinceMs)}: ${meaning}`);
    },
    answered() {
      if (away === null) return;
      const { sinceMs, failures, said } = away;
      away = null;
      answeredMs = runtime.monotonicMs();
      if (said === null) untold += 1;
      else log.info({ failures }, `${server} ${over} after ${lasting(answeredMs - sinceMs)}`);
    },
    isAway: () => away !== null,
  };
}

/**
 * The outage of a server that all who call it in this process tell together: whoever fails first begins it, whoever is
 * answered first ends it.
 */
export function sharedOutage({
  log,
  ...options
}: Omit<OutageOptions, 'log'> & { log: Log | undefined }): Outage {
  if (!log) return UNHEARD;
  const ofThisLog = shared.get(log) ?? new Map<string, Outage>();
  shared.set(log, ofThisLog);
  const known = ofThisLog.get(options.server) ?? outage({ log, ...options });
  ofThisLog.set(options.server, known);
  return known;
}

/** A process has one log; tests have one each. */
const shared = new WeakMap<Log, Map<string, Outage>>();
const UNHEARD: Outage = { failed: () => {}, answered: () => {}, isAway: () => false };

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
/** Errors of clients that have no code: of pg, kafkajs and EventStoreDB. */
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
