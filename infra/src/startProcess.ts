import { createLog, type LogLevel } from './runtime/log.ts';
import { createMetrics } from './runtime/metrics.ts';
import { realRuntime } from './runtime/runtime.ts';
import { createShutdown } from './runtime/shutdown.ts';
import { startTelemetry } from './runtime/telemetry.ts';

export type ProcessOptions = {
  service: string;
  version: string;
  /** The process among several of one service. */
  instance: string | undefined;
  logLevel: LogLevel;
  /** Where traces are sent; undefined: tracing is off. */
  telemetryEndpoint: string | undefined;
};

/** What every service process has before it opens anything: clock, log, shutdown, metrics and tracing. */
export async function startProcess(options: ProcessOptions) {
  const { service, version, instance, logLevel, telemetryEndpoint: endpoint } = options;
  const runtime = realRuntime;
  const log = createLog({ name: service, level: logLevel, ...(instance ? { instance } : {}) });
  const shutdown = createShutdown(log);
  const metrics = createMetrics(service, version);
  const telemetry = await startTelemetry({ endpoint, service, version, instance, log, runtime });
  return { runtime, log, shutdown, metrics, telemetry: shutdown.keep('tracing', telemetry) };
}
