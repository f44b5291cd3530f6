import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** The metrics of one process, in Prometheus' text form at `/metrics`. Only what is asked for costs anything. */
export type Metrics = {
  registry: Registry;
  /** The text of a scrape and its content type. */
  scrape(): Promise<{ contentType: string; text: string }>;
};

export function createMetrics(service: string, version: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
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
