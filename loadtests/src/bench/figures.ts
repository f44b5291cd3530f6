import type { Histogram } from 'hdr-histogram-js';
import { print, type Row, table } from '../cli/report.ts';
import type { LoadShape, Measured } from './measure.ts';

/** Prints the measurements as tables, and returns them as figures for programs. */
export function report(
  options: LoadShape,
  measured: Measured,
  bare: { rate: number; p95Ms: number } | undefined,
) {
  const { load, drainMs, cpuSeconds, memoryBytes, eventsWritten } = measured;
  const ordersPerSecond = load.ok / load.seconds;
  const cpuTotal = Object.values(cpuSeconds).reduce((sum, seconds) => sum + seconds, 0);
  const figures = {
    clients: options.clients,
    seconds: round(load.seconds, 1),
    orders: load.ok,
    orders_per_second: round(ordersPerSecond, 1),
    ...latencies('', load.latencyUs),
    fast_account_orders: load.fastOk,
    ...latencies('fast_account_', load.fastLatencyUs),
    refused: Object.fromEntries(load.refused),
    unknown: load.unknown,
    events_per_second: round(eventsWritten / (load.seconds + drainMs / 1000), 1),
    events_per_order: round(eventsWritten / load.ok, 2),
    drain_ms: Math.round(drainMs),
    cpu_us_per_order: Math.round((cpuTotal * 1e6) / load.ok),
    cpu_seconds: mapValues(cpuSeconds, (seconds) => round(seconds, 2)),
    memory_mib: mapValues(memoryBytes, (bytes) => Math.round(bytes / 2 ** 20)),
    ...(bare
      ? {
          bare_requests_per_second: round(bare.rate, 1),
          bare_p95_ms: round(bare.p95Ms, 2),
          share_of_bare: round(ordersPerSecond / bare.rate, 3),
        }
      : {}),
  };
  const rows: Row[] = [
    ['orders/s acknowledged', figures.orders_per_second],
    ['latency p50 ms', figures.p50_ms],
    ['latency p95 ms', figures.p95_ms],
    ['latency p99 ms', figures.p99_ms],
    [`one account alone: orders/s (of ${options.fastRate})`, figures.fast_account_orders / load.seconds],
    ['one account alone: p95 ms', figures.fast_account_p95_ms],
    ['events/s', figures.events_per_second],
    ['events an order', figures.events_per_order],
    ['all answered, settled, shown after ms', figures.drain_ms],
    ['core-µs an order, all processes', figures.cpu_us_per_order],
    ['unknown outcomes', load.unknown],
    ...[...load.refused].map(([code, count]): Row => [`replies ${code}`, count]),
    ...(bare
      ? ([
          ['a bare endpoint, requests/s', figures.bare_requests_per_second ?? 0],
          ['orders as a share of that', figures.share_of_bare ?? 0],
        ] satisfies Row[])
      : []),
  ];
  print(table(['benchmark', 'value'], rows));
  print(
    table(
      ['process', 'CPU s', 'core-µs an order', 'memory MiB'],
      Object.keys(cpuSeconds).map((name) => [
        name,
        cpuSeconds[name] ?? 0,
        ((cpuSeconds[name] ?? 0) * 1e6) / load.ok,
        Math.round((memoryBytes[name] ?? 0) / 2 ** 20),
      ]),
    ),
  );
  return figures;
}

/** Compares installations that had the same load, one after the other, each in relation to the first one. */
export function sideBySide(results: readonly { name: string; figures: ReturnType<typeof report> }[]): string {
  const [first] = results;
  return table(
    ['profile', 'orders/s', 'p50 ms', 'p95 ms', 'core-µs an order', 'of the first', 'bare endpoint/s'],
    results.map(({ name, figures }) => [
      name,
      figures.orders_per_second,
      figures.p50_ms,
      figures.p95_ms,
      figures.cpu_us_per_order,
      round(figures.cpu_us_per_order / (first?.figures.cpu_us_per_order ?? 1), 2),
      figures.bare_requests_per_second ?? 0,
    ]),
  );
}

function latencies<P extends string>(prefix: P, latencyUs: Histogram) {
  const percentileMs = (percent: number) =>
    round(latencyUs.totalCount > 0 ? latencyUs.getValueAtPercentile(percent) / 1000 : 0, 2);
  return {
    [`${prefix}p50_ms`]: percentileMs(50),
    [`${prefix}p95_ms`]: percentileMs(95),
    [`${prefix}p99_ms`]: percentileMs(99),
  } as Record<`${P}p50_ms` | `${P}p95_ms` | `${P}p99_ms`, number>;
}

export const round = (value: number, decimals: number): number => Number(value.toFixed(decimals));
const mapValues = (values: Record<string, number>, change: (value: number) => number) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
