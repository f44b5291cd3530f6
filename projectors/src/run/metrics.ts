import type { Metrics } from '@brokerx/infra';
import { Counter, Gauge, Histogram } from 'prom-client';
import { keyOf, type TableProjection } from './projection.ts';

/** What the projections tell about themselves at `/metrics`. */
export type ProjectionMetrics = {
  moved(projection: Pick<TableProjection, 'name' | 'version'>, position: number): void;
  /** Another process has it now: nothing is told of it here any more. */
  left(key: string): void;
  /** One batch of `events` was written in `tookMs`. */
  flushed(events: number, tookMs: number): void;
  parked(projection: TableProjection, events: number): void;
  halted(projection: TableProjection): void;
};

/** `head`: position of the newest event known. */
export function projectionMetrics({ registry }: Metrics, head: () => number): ProjectionMetrics {
  const registers = [registry];
  const labelNames = ['projection'] as const;
  const positions = new Map<string, number>();
  const position = new Gauge({
    name: 'brokerx_projection_position',
    help: 'Position in the event store that the projection reflects.',
    labelNames,
    registers,
  });
  const lag = new Gauge({
    name: 'brokerx_projection_lag',
    help: 'Positions between the head of the event store and what the projection reflects.',
    labelNames,
    registers,
    collect() {
      for (const [key, at] of positions) this.set({ projection: key }, Math.max(0, head() - at));
    },
  });
  const events = new Counter({
    name: 'brokerx_projection_events_total',
    help: 'Events given to table projections.',
    registers,
  });
  const seconds = new Histogram({
    name: 'brokerx_projection_flush_seconds',
    help: 'Time to fold and write one batch.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  const parked = new Counter({
    name: 'brokerx_projection_parked_total',
    help: 'Events that a projection could not fold and went on without: each is a defect.',
    labelNames,
    registers,
  });
  const halts = new Counter({
    name: 'brokerx_projection_halts_total',
    help: 'Times that a projection which may leave nothing out was halted by a defect.',
    labelNames,
    registers,
  });
  return {
    moved(projection, at) {
      positions.set(keyOf(projection), at);
      position.set({ projection: keyOf(projection) }, at);
    },
    left(key) {
      positions.delete(key);
      position.remove({ projection: key });
      lag.remove({ projection: key });
    },
    flushed(count, tookMs) {
      events.inc(count);
      seconds.observe(tookMs / 1000);
    },
    parked: (projection, count) => parked.inc({ projection: keyOf(projection) }, count),
    halted: (projection) => halts.inc({ projection: keyOf(projection) }),
  };
}
