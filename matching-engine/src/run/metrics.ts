import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The metrics of an engine process. Gauges are read when the metrics are scraped. */
export type EngineMetrics = ReturnType<typeof engineMetrics>;

export type EngineGauges = {
  openOrders(): number;
  unacknowledgedInputs(): number;
  brokenMarkets(): number;
  shards(): number;
  markets(): number;
  /** Positions between the newest event and the last one that the feed has delivered to this process. */
  lagPositions(): number;
};

export function engineMetrics(registry: Registry) {
  const registers = [registry];
  return {
    inputs: new Counter({ name: 'brokerx_engine_inputs_total', help: 'Inputs given to engines.', registers }),
    outputs: new Counter({ name: 'brokerx_engine_outputs_total', help: 'Outputs stored.', registers }),
    snapshots: new Counter({ name: 'brokerx_engine_snapshots_total', help: 'Snapshots kept.', registers }),
    appendSeconds: new Histogram({
      name: 'brokerx_engine_append_seconds',
      help: 'From sending a commit of outputs to its verdict.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
    /** Registers the gauges; called once, when the engine runs. */
    watch(gauges: EngineGauges) {
      const gauge = (name: string, help: string, read: () => number) =>
        new Gauge({
          name: `brokerx_engine_${name}`,
          help,
          registers,
          collect() {
            this.set(read());
          },
        });
      gauge('open_orders', 'Orders resting in all books.', gauges.openOrders);
      gauge('unacknowledged_inputs', 'Inputs applied and not yet stored.', gauges.unacknowledgedInputs);
      gauge('shards', 'Shards of symbols that this process has.', gauges.shards);
      gauge('markets', 'Symbols that this process runs.', gauges.markets);
      gauge('broken_markets', 'Symbols that stand still: look at the log.', gauges.brokenMarkets);
      gauge('lag_positions', 'Positions that this engine is behind the store.', gauges.lagPositions);
    },
  };
}
