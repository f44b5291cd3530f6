import { type LogEntry, logLevel } from 'kafkajs';
import type { Log } from '../runtime/log.ts';
import type { Runtime } from '../runtime/runtime.ts';

/**
 * kafkajs's lines in our log. It calls everything an error that it then repeats, and says so at each attempt: here its
 * errors are warnings (whoever called is told when it gives up), what is said of connections is a detail, and a line that was just written is not written again.
 */
export function kafkaLogCreator(log: Log | undefined, runtime: Runtime) {
  /** Monotonic time of the last writing of each line. */
  const written = new Map<string, number>();
  return () =>
    ({ namespace, level, log: entry }: LogEntry): void => {
      const { message, timestamp: _time, logger: _name, stack: _stack, ...about } = entry;
      if (!log || level === logLevel.NOTHING || NEEDLESS.some((part) => message.includes(part))) return;
      const isDetail = level === logLevel.INFO || level === logLevel.DEBUG || DETAIL.test(message);
      if (isDetail) {
        log.debug({ kafka: namespace, ...about }, message);
        return;
      }
      const line = `${namespace} ${message}`;
      const nowMs = runtime.monotonicMs();
      if (nowMs - (written.get(line) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
      if (written.size > LINES_MAX) written.clear();
      written.set(line, nowMs);
      log.warn({ kafka: namespace, ...about }, message);
    };
}

/**
 * What whoever asked is given: an error in a broker's reply, and a broker that does not answer, which is tried again, also
 * another one. Where none does, the client's outage is told.
 */
const DETAIL =
  /^(Response |Connection |Failed to connect |Broker not connected|Disconnect)|ECONN|ETIMEDOUT|timed? ?out/i;
/** While a broker is away the same line comes several times a second. */
const REPEAT_MS = 30_000;
/** Lines hold addresses and numbers: they are not bounded by themselves. */
const LINES_MAX = 200;
/** Advice that does not concern us: see the producer in kafka.ts. */
const NEEDLESS = ['Limiting retries for the idempotent producer'];
