import { STAGES } from '../generator/protocol.ts';
import { LAG_STAGES, type LagStage } from '../run/watching.ts';
import { chart, escaped, type Line, type Mark } from './chart.ts';
import { comparison } from './compare.ts';
import type { LoadFigures } from './figures.ts';
import { type Table, tablesOf } from './tables.ts';

/** The report as one page: it loads nothing, runs nothing, and can be sent by mail. */
export function pageOf(figures: LoadFigures, earlier?: LoadFigures): string {
  const { scenario, circumstances, begun_at, where } = figures;
  const title = `BrokerX under load: ${scenario.name}`;
  const tables = [...(earlier ? [comparison(earlier, figures)] : []), ...tablesOf(figures)];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title><style>${STYLE}</style></head><body>
<h1>${escaped(title)}</h1>
<p>${escaped(scenario.says)}.</p>
<p class="about">${escaped(begun_at)} · ${escaped(where)} · ${escaped(circumstances.machine)} · Node ${escaped(circumstances.node)} · commit ${escaped(circumstances.commit)} · seed ${circumstances.seed}</p>
<p class="about">${escaped(driveOf(figures))}</p>
${tables.slice(0, 1).map(htmlTable).join('\n')}
<div class="charts">${chartsOf(figures, earlier).join('\n')}</div>
${tables.slice(1).map(htmlTable).join('\n')}
<details><summary>The scenario</summary><pre>${escaped(JSON.stringify(scenario, null, 2))}</pre></details>
</body></html>
`;
}

function driveOf({ scenario }: LoadFigures): string {
  const { drive, users, seconds, warmUpSeconds, symbols } = scenario;
  const how =
    drive.by === 'users'
      ? `each user one request after the other, ramp ${drive.rampUpSeconds} s up and ${drive.rampDownSeconds} s down`
      : drive.rate === 0
        ? 'each user as fast as answers come'
        : `${drive.rate} requests/s, sent when due whatever the replies do`;
  return `${users} users, ${symbols} symbols, ${seconds} s measured after ${warmUpSeconds} s; ${how}`;
}

function htmlTable({ title, says, head, rows }: Table): string {
  const cell = (value: string | number) =>
    typeof value === 'number'
      ? `<td class="number">${value.toLocaleString('en-US', { maximumFractionDigits: 2 })}</td>`
      : `<td>${escaped(value)}</td>`;
  return `<section><h2>${escaped(title)}</h2>${says ? `<p>${escaped(says)}</p>` : ''}
<table><thead><tr>${head.map((name) => `<th>${escaped(name)}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n')}</tbody></table></section>`;
}

function chartsOf(figures: LoadFigures, earlier: LoadFigures | undefined): string[] {
  const marks: Mark[] = figures.faults.map(({ process: name, at }) => ({ at, label: `${name} killed` }));
  const both = (lines: (of: LoadFigures) => Line[]): Line[] => [
    ...lines(figures),
    ...(earlier ? lines(earlier).map((line) => ({ ...line, isEarlier: true })) : []),
  ];
  const draw = (title: string, unit: string, lines: (of: LoadFigures) => Line[]) =>
    chart(title, unit, both(lines), marks);
  return [
    draw('Rate', 'a second', rateLines),
    draw('Latency of the acknowledgement', 'ms from the due time', latencyLines),
    draw('Latency of each stage, p95', 'ms from the due time', stageLines),
    draw('Work done by each stage', 'a second', doneLines),
    draw('Lag of each stage', 'events behind the newest', lagLines),
    draw('CPU', 'cores', ({ series }) => processLines(series.samples, ({ cores }) => cores)),
    draw('Memory', 'MiB', ({ series }) =>
      processLines(
        series.samples.filter(({ memoryMib }) => memoryMib),
        ({ memoryMib }) => memoryMib ?? {},
      ),
    ),
    draw('Refused, and errors', 'a second', errorLines),
    draw('In flight', 'requests, users', flightLines),
    draw('Market data sent to followers', 'KiB a second', streamLines),
  ].filter((svg) => svg !== '');
}

type Lines = (of: LoadFigures) => Line[];

const rateLines: Lines = ({ series }) => {
  const actions = [...new Set(series.points.flatMap((point) => Object.keys(point.actions)))];
  return actions.map((action) => ({
    name: action,
    points: series.points.map(({ second, actions: own }) => [
      second,
      (own as Record<string, { okPerSecond: number } | undefined>)[action]?.okPerSecond ?? 0,
    ]),
  }));
};

const latencyLines: Lines = ({ series }) =>
  (['p50', 'p95', 'p99', 'max'] as const).map((name) => ({
    name,
    points: series.points.map(({ second, latency }) => [
      second,
      latency.count > 0 ? latency[name] : undefined,
    ]),
  }));

const stageLines: Lines = ({ series }) =>
  STAGES.map((stage) => ({
    name: stage,
    points: series.stages.map(({ second, stages }) => [
      second,
      stages[stage].count > 0 ? stages[stage].p95 : undefined,
    ]),
  }));

const lagLines: Lines = ({ series }) =>
  LAG_STAGES.map((stage) => ({
    name: stage,
    points: series.samples.map(({ second, lag }) => [second, lag[stage]]),
  }));

const WORK: Partial<Record<LagStage, string>> = {
  match: 'inputs matched',
  settlement: 'facts settled',
  view: 'events shown in tables',
};
const doneLines: Lines = ({ series: { samples } }) =>
  LAG_STAGES.flatMap((stage) => {
    const name = WORK[stage];
    if (!name) return [];
    const points = samples.slice(1).map(({ second, done }, index): [number, number | undefined] => {
      const before = samples[index];
      const [now, then] = [done[stage], before?.done[stage]];
      if (!before || now === undefined || then === undefined || now < then) return [second, undefined];
      return [second, (now - then) / Math.max(0.001, second - before.second)];
    });
    return [{ name, points }];
  });

const errorLines: Lines = ({ series }) => [
  {
    name: 'refused',
    points: series.points.map(({ second, refusedPerSecond }) => [second, refusedPerSecond]),
  },
  {
    name: 'no reply, or not sent',
    points: series.points.map(({ second, errorsPerSecond }) => [second, errorsPerSecond]),
  },
];

const flightLines: Lines = ({ series }) => [
  { name: 'in flight', points: series.points.map(({ second, inFlight }) => [second, inFlight]) },
  { name: 'waiting for a connection', points: series.points.map(({ second, waiting }) => [second, waiting]) },
  { name: 'users', points: series.points.map(({ second, users }) => [second, users]) },
];

const streamLines: Lines = ({ scenario, series }) =>
  scenario.followers === 0
    ? []
    : [
        {
          name: 'to followers',
          points: series.points.map(({ second, streamedBytesPerSecond }) => [
            second,
            streamedBytesPerSecond / 1_024,
          ]),
        },
      ];

function processLines(
  samples: LoadFigures['series']['samples'],
  of: (sample: LoadFigures['series']['samples'][number]) => Record<string, number>,
): Line[] {
  const names = [...new Set(samples.flatMap((sample) => Object.keys(of(sample))))];
  return names.map((name) => ({
    name,
    points: samples.map((sample) => [sample.second, of(sample)[name]]),
  }));
}

const STYLE = `
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1500px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; }
.about { color: #666; margin: .2rem 0; font-size: .9rem; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 600; }
th, td { padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #8883; } .number { text-align: right; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 1rem; margin: 1.5rem 0; }
figure { margin: 0; } figcaption { font-weight: 600; } small { color: #666; font-weight: 400; }
svg { width: 100%; height: auto; } svg path { fill: none; stroke-width: 1.6; } svg text { font-size: 11px; fill: #777; }
svg .grid { stroke: #8883; } svg line.mark { stroke: #a8324a; stroke-dasharray: 2 2; } svg text.mark { fill: #a8324a; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem; }
.legend i { display: inline-block; width: .8rem; height: .25rem; margin-right: .35rem; vertical-align: middle; }
`;
