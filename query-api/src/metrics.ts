import type { Metrics } from '@brokerx/infra';
import { Counter, Gauge } from 'prom-client';
import type { QueryDeps } from './deps.ts';
import type { WaitOutcome } from './reading/freshness.ts';

/** The metrics of this service alone; `infra` counts the requests. */
export function queryMetrics(deps: QueryDeps): void {
  const { metrics, freshness, streams, exportPlaces, sockets, commands, books, live, hotValues } = deps;
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name: `brokerx_query_${name}`,
      help,
      registers: [metrics.registry],
      collect() {
        this.set(value());
      },
    });
  gauge('streams', 'Event streams that are open.', streams.count);
  gauge('exports', 'Exports of events that are under way.', exportPlaces.count);
  gauge('sockets', 'WebSockets that are open.', sockets.count);
  gauge('subscriptions', 'Channels that WebSockets have subscribed to.', () => sockets.stats().subscriptions);
  gauge(
    'socket_requests',
    'Requests of WebSockets that are not answered yet.',
    () => sockets.stats().requests,
  );
  gauge('commands', 'Commands of WebSockets that are on their way to command-api.', commands.inFlight);
  gauge(
    'books',
    'Books that are followed in memory, because somebody watches them or did a moment ago.',
    books.count,
  );
  gauge('book_users', 'Channels and requests that use such a book.', books.users);
  gauge('watchers', 'Watchers of streams of the event store, the books among them.', live.count);
  gauge('value_watchers', 'Watchers of values of the hot view.', hotValues.count);
  gauge(
    'waiting',
    'Requests that wait until what they read has reached the position they ask for.',
    freshness.waiting,
  );
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
