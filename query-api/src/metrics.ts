import type { Metrics } from '@brokerx/infra';
import { Counter, Gauge } from 'prom-client';
import type { QueryDeps } from './app.ts';
import type { WaitOutcome } from './freshness.ts';

/** Requests are counted by the HTTP kit; here stands what only this service knows. */
export function queryMetrics({ metrics, freshness, streams, sockets, books }: QueryDeps): void {
  const registers = [metrics.registry];
  new Gauge({
    name: 'brokerx_query_streams',
    help: 'Event streams that are open.',
    registers,
    collect() {
      this.set(streams.count());
    },
  });
  new Gauge({
    name: 'brokerx_query_sockets',
    help: 'WebSockets that are open.',
    registers,
    collect() {
      this.set(sockets.count());
    },
  });
  new Gauge({
    name: 'brokerx_query_books',
    help: 'Books that are followed in memory, because somebody watches them or did a moment ago.',
    registers,
    collect() {
      this.set(books.count());
    },
  });
  new Gauge({
    name: 'brokerx_query_waiting',
    help: 'Requests that wait until what they read has reached the position they ask for.',
    registers,
    collect() {
      this.set(freshness.waiting());
    },
  });
}

export function waitCounter({ registry }: Metrics): (outcome: WaitOutcome) => void {
  const waits = new Counter({
    name: 'brokerx_query_waits_total',
    help: 'Requests that had to wait until what they read had reached a position, by how that ended.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  return (outcome) => waits.inc({ outcome });
}
