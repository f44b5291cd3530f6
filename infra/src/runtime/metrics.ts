import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** The metrics of one process, in Prometheus' text form at `/metrics`. Only what is asked for costs anything. */
export type Metrics = {
  registry: Registry;
  /** The text of a scrape and its content type. */
  scrape(): Promise<{ contentType: string; text: string }>;
};

/**
 * How often the delay of the event loop is looked at. Every 10 ms, as prom-client would, is 0.35 % of a core for each
 * idle process; every 50 ms is 0.08 %.
 */
const EVENT_LOOP_LOOK_MS = 50;

export function createMetrics(service: string, version: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_LOOK_MS });
  const build = new Gauge({
    name: 'brokerx_build_info',
    help: 'Always 1; the labels say what is running.',
    labelNames: ['version', 'node'] as const,
    registers: [registry],
  });
  build.set({ version, node: process.version }, 1);
  return {
    registry,
    scrape: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}
