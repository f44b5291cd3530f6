import type { Row } from '../../cli/report.ts';
import type { Percentiles } from '../generator/histograms.ts';
import { STAGES } from '../generator/protocol.ts';
import type { LoadFigures } from './figures.ts';

/** The figures of a run as tables: the terminal and the page show the same. */
export type Table = { title: string; head: readonly string[]; rows: readonly Row[]; says?: string };

export function tablesOf(figures: LoadFigures): Table[] {
  const all = [headlineTable(figures), stageTable(figures), actionTable(figures), refusedTable(figures)];
  return [...all, processTable(figures), bareTable(figures), auditTable(figures)].filter(
    ({ rows }) => rows.length > 0,
  );
}

/** Timers are good to a millisecond; a generator that is later than this is short of CPU. */
const LATE_MS = 10;

function headlineTable({ headline, generator, generators }: LoadFigures): Table {
  const { of, latency } = headline;
  return {
    title: 'Headline',
    ...(generator.late.p99 > LATE_MS
      ? {
          says: 'the generator itself was late, so this machine had too little for it: read the figures with care',
        }
      : {}),
    head: ['what', 'value'],
    rows: [
      [`${of}/s acknowledged`, headline.acknowledged_per_second],
      [`${of}/s end to end: matched, settled and shown`, headline.end_to_end_per_second],
      ['latency of the acknowledgement from the due time, p50 ms', latency.p50],
      ['p95 ms', latency.p95],
      ['p99 ms', latency.p99],
      ['p99.9 ms', latency.p999],
      ['max ms', latency.max],
      ['acknowledged in all', headline.count],
      ['refused', headline.refused],
      ['no reply, or not sent', headline.errors],
      ['core-µs each, all processes, generator included', headline.core_us_each],
      ['last reply after the end, ms', headline.overrun_ms],
      ['everything settled and shown after the last reply, ms', headline.drain_ms],
      ['requests sent later than due, p99 ms', generator.late.p99],
      ['generator processes', generators],
      ['tokens renewed', generator.renewals],
    ],
  };
}

const SAYS = {
  acknowledgement: 'the 202 has come: it is on disk',
  match: 'the trade is in the event history',
  settlement: 'the fill is in the event history',
  view: 'the order is shown as filled',
  stream: 'the fill has come on the client’s stream',
} as const;

function stageTable({ stages, probes }: LoadFigures): Table {
  return {
    title: 'Stages of single orders',
    says: `${probes.sent} orders, one by one beside the load, each from the moment at which it was due; ${probes.unseen} were not seen through all stages, ${probes.refused} refused`,
    head: ['stage', 'over when', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms'],
    rows: STAGES.filter((stage) => stages[stage].count > 0).map((stage) => {
      const { p50, p95, p99, max } = stages[stage];
      return [stage, SAYS[stage], p50, p95, p99, max];
    }),
  };
}

const latency = ({ p50, p95, p99, max }: Percentiles) => [p50, p95, p99, max];

function actionTable({ actions }: LoadFigures): Table {
  return {
    title: 'Requests',
    head: ['request', 'sent', 'ok', 'ok/s', 'no reply', 'not sent', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms'],
    rows: Object.entries(actions).map(([action, own]) => [
      action,
      own.sent,
      own.ok,
      own.ok_per_second,
      own.unknown,
      own.unsent,
      ...latency(own.latency),
    ]),
  };
}

function refusedTable({ actions }: LoadFigures): Table {
  return {
    title: 'Refused',
    head: ['request', 'reply', 'count', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms'],
    rows: Object.entries(actions).flatMap(([action, own]) =>
      Object.entries(own.refused).map(([code, count]) => [
        action,
        code,
        count,
        ...latency(own.refusedLatency),
      ]),
    ),
  };
}

function processTable({ processes, headline }: LoadFigures): Table {
  const one = headline.of === 'orders' ? 'an order' : 'a request';
  return {
    title: 'Processes',
    head: ['process', 'CPU s', `core-µs ${one}`, 'memory MiB'],
    rows: Object.entries(processes).map(([name, own]) => [
      name,
      own.cpu_seconds,
      own.core_us_per_order,
      own.memory_mib ?? '',
    ]),
  };
}

function bareTable({ bare, headline }: LoadFigures): Table {
  if (!bare) return { title: 'Bare endpoint', head: [], rows: [] };
  const { atRate } = bare;
  return {
    title: 'Bare endpoint',
    says: 'the limit beside it: the same requests to a server that does nothing but validate',
    head: ['what', 'value'],
    rows: [
      ['as fast as answers come, requests/s', bare.requestsPerSecond],
      [`${headline.of} acknowledged as a share of that`, headline.share_of_bare ?? 0],
      ...(atRate
        ? ([
            ['at the scenario’s rate, p50 ms', atRate.p50],
            ['p95 ms', atRate.p95],
            ['p99 ms', atRate.p99],
            [
              'p95 of the run as a multiple of that and one flush',
              Math.round((headline.latency.p95 / (atRate.p95 + bare.flushMs)) * 10) / 10,
            ],
          ] satisfies Row[])
        : []),
      ['one flush of the disk, 4 KiB, median ms', bare.flushMs],
    ],
  };
}

function auditTable({ audit, faults }: LoadFigures): Table {
  const shown = ['ok', 'events', 'orders', 'refusals', 'trades', 'accounts', 'rows_compared'];
  return {
    title: 'Audit',
    says: 'the whole history folded again by code of its own, against the clients’ journals and the views',
    head: ['what', 'value'],
    rows: [
      ...shown.map((name): Row => [name.replaceAll('_', ' '), cell(audit[name])]),
      ...faults.map(
        ({ process: name, at, backAt }): Row => [
          `${name} killed at ${at.toFixed(1)} s`,
          backAt === undefined ? 'did not come back' : `back after ${(backAt - at).toFixed(1)} s`,
        ],
      ),
    ],
  };
}

const cell = (value: unknown) => (typeof value === 'number' ? value : String(value));
