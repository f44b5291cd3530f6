import { readFileSync } from 'node:fs';
import type { Row } from '../../cli/report.ts';
import { STAGES } from '../generator/protocol.ts';
import { FORMAT, type LoadFigures } from './figures.ts';
import type { Table } from './tables.ts';

/** An earlier report beside this one. */
export function readFigures(file: string): LoadFigures {
  const figures = JSON.parse(readFileSync(file, 'utf8')) as LoadFigures;
  if (figures.format !== FORMAT) throw new Error(`${file} is no report of this form (${FORMAT})`);
  return figures;
}

export function comparison(earlier: LoadFigures, now: LoadFigures): Table {
  const row = (what: string, of: (figures: LoadFigures) => number | null | undefined): Row[] => {
    const [before, after] = [of(earlier), of(now)];
    if (before == null || after == null) return [];
    return [[what, before, after, before === 0 ? '' : `${(after / before).toFixed(2)} ×`]];
  };
  return {
    title: 'Compared',
    says: [
      `with ${earlier.scenario.name} of ${earlier.begun_at}, commit ${earlier.circumstances.commit}, seed ${earlier.circumstances.seed}, on ${earlier.circumstances.machine}`,
      ...differences(earlier, now),
    ].join('; '),
    head: ['what', 'earlier', 'now', 'now as a multiple'],
    rows: [
      ...row('acknowledged/s', ({ headline }) => headline.acknowledged_per_second),
      ...row('end to end/s', ({ headline }) => headline.end_to_end_per_second),
      ...row('p50 ms', ({ headline }) => headline.latency.p50),
      ...row('p95 ms', ({ headline }) => headline.latency.p95),
      ...row('p99 ms', ({ headline }) => headline.latency.p99),
      ...row('core-µs each', ({ headline }) => headline.core_us_each),
      ...row('share of the bare endpoint', ({ headline }) => headline.share_of_bare),
      ...row('bare endpoint, requests/s', ({ bare }) => bare?.requestsPerSecond),
      ...STAGES.flatMap((stage) => row(`${stage}, p95 ms`, ({ stages }) => stages[stage].p95)),
      ...Object.keys(now.processes).flatMap((name) =>
        row(`${name}, core-µs each`, ({ processes }) => processes[name]?.core_us_per_order),
      ),
    ],
  };
}

/** What makes two figures another thing than two figures of one thing. */
function differences(earlier: LoadFigures, now: LoadFigures): string[] {
  const said: string[] = [];
  if (JSON.stringify(earlier.scenario) !== JSON.stringify(now.scenario))
    said.push('the scenarios are not the same');
  for (const name of ['machine', 'node', 'seed'] as const) {
    if (earlier.circumstances[name] !== now.circumstances[name])
      said.push(`another ${name}: ${earlier.circumstances[name]}, now ${now.circumstances[name]}`);
  }
  return said;
}
