import { type LogEntry, logLevel } from 'kafkajs';
import type { Log } from '../runtime/log.ts';
import type { Runtime } from '../runtime/runtime.ts';

/**
 * Writes kafkajs's lines to our log. kafkajs logs an error for each attempt that it then repeats. Here its errors are warnings,
 * because the caller gets the error when kafkajs gives up; lines about connections are details; and a line that was just
 * written is not written again.
 */
export function kafkaLogCreator(log: Log | undefined, runtime: Runtime) {
  /** Monotonic time of the last writing of each line. */
  const writtenAtMs = new Map<string, number>();
  return () =>
    ({ namespace, level, log: entry }: LogEntry): void => {
      const { message, timestamp: _time, logger: _name, stack: _stack, ...details } = entry;
      if (!log || level === logLevel.NOTHING || IRRELEVANT_LINES.some((part) => message.includes(part)))
        return;
      const isDetail = level === logLevel.INFO || level === logLevel.DEBUG || DETAIL_LINES.test(message);
      if (isDetail) {
        log.debug({ kafka: namespace, ...details }, message);
        return;
      }
      const line = `${namespace} ${message}`;
      const nowMs = runtime.monotonicMs();
      if (nowMs - (writtenAtMs.get(line) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
      if (writtenAtMs.size > LINES_MAX) writtenAtMs.clear();
      writtenAtMs.set(line, nowMs);
      log.warn({ kafka: namespace, ...details }, message);
    };
}

/**
 * Lines about errors that the caller gets anyway (in a broker's reply), or that kafkajs repeats, if need be with another broker
 * (a broker that does not answer). If no broker answers, the client's outage is logged.
 */
const DETAIL_LINES =
  /^(Response |Connection |Failed to connect |Broker not connected|Disconnect)|ECONN|ETIMEDOUT|timed? ?out/i;
/** Milliseconds in which the same line is written once: while a broker is away it comes several times a second. */
const REPEAT_MS = 30_000;
/** Lines that are remembered. They hold addresses and numbers, so their number has no bound of its own. */
const LINES_MAX = 200;
/** Advice that does not concern us: after a failed send the relay reads the topics to go on (`producer.ts`). */
const IRRELEVANT_LINES = ['Limiting retries for the idempotent producer'];
