import { expect, test } from 'vitest';
import { histogram, percentiles, recordMs } from '../../src/load/generator/histograms.ts';
import { STAGES } from '../../src/load/generator/protocol.ts';
import { comparison } from '../../src/load/report/compare.ts';
import { FORMAT, type LoadFigures } from '../../src/load/report/figures.ts';
import { pageOf } from '../../src/load/report/page.ts';
import { stagesIn } from '../../src/load/run/watching.ts';
import { SCENARIOS } from '../../src/load/scenarios/catalog.ts';

const latency = (...ms: number[]) => {
  const of = histogram();
  for (const each of ms) recordMs(of, each);
  return percentiles(of);
};

/** A run of two seconds, as its JSON file has it. */
function figures(changed: Partial<LoadFigures> = {}): LoadFigures {
  const [steady] = SCENARIOS as [LoadFigures['scenario']];
  const stages = Object.fromEntries(STAGES.map((stage, at) => [stage, latency(10 * (at + 1))]));
  const point = { latency: latency(5, 9), refusedPerSecond: 0, errorsPerSecond: 0, inFlight: 3, waiting: 0 };
  const more = { users: 2, slowOpen: 0, streamedBytesPerSecond: 0, generatorCores: 0.1, lateP99Ms: 1 };
  const actions = { place: { okPerSecond: 100, p50: 5, p95: 9, p99: 9 } };
  return {
    format: FORMAT,
    scenario: steady,
    begun_at: '2026-01-05T14:00:00.000Z',
    where: 'an <installation> of its own',
    circumstances: { machine: 'a machine', node: 'v26', commit: 'abc', seed: 1 },
    generators: 1,
    headline: {
      of: 'orders',
      acknowledged_per_second: 100,
      end_to_end_per_second: 90,
      count: 200,
      refused: 0,
      errors: 0,
      latency: latency(5, 9),
      core_us_each: 900,
      share_of_bare: 0.1,
      overrun_ms: 10,
      drain_ms: 200,
    },
    actions: {},
    stages: stages as LoadFigures['stages'],
    probes: { sent: 20, refused: 0, unseen: 0 },
    bare: null,
    processes: { 'command-api': { cpu_seconds: 1, core_us_per_order: 400, memory_mib: 100 } },
    generator: { late: latency(1), renewals: 0, renewals_failed: 0 },
    faults: [{ process: 'matching-engine', at: 1, backAt: 1.5 }],
    audit: { ok: true, events: 500 },
    series: {
      points: [1, 2].map((second) => ({ second, actions, ...point, ...more })),
      stages: [{ second: 1, stages: stages as LoadFigures['stages'] }],
      samples: [1, 2].map((second) => ({
        second,
        cores: { 'command-api': 0.4 },
        memoryMib: { 'command-api': 100 },
        lag: { match: 0, settlement: 12, view: 40 },
        done: { match: 100 * second },
      })),
    },
    ...changed,
  };
}

test('the page shows a chart of everything, and loads and runs nothing', () => {
  const page = pageOf(figures());
  for (const title of [
    'Rate',
    'Latency of each stage',
    'Lag of each stage',
    'CPU',
    'Memory',
    'Refused, and errors',
  ])
    expect(page).toContain(`<figcaption>${title}`);
  for (const stage of STAGES) expect(page).toContain(`<td>${stage}</td>`);
  expect(page).toContain('matching-engine killed');
  expect(page).toContain('an &lt;installation&gt; of its own');
  expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|\b(src|href)=|url\(/);
  expect(page).not.toMatch(/https?:\/\//);
});

test('beside an earlier one it shows both, and what is not the same of them', () => {
  const earlier = figures({
    headline: { ...figures().headline, acknowledged_per_second: 50 },
    circumstances: { machine: 'another', node: 'v26', commit: 'before', seed: 1 },
  });
  const { rows, says } = comparison(earlier, figures());
  expect(rows[0]).toEqual(['acknowledged/s', 50, 100, '2.00 ×']);
  expect(says).toContain('commit before');
  expect(says).toContain('another machine: another, now a machine');
  expect(pageOf(figures(), earlier)).toContain('stroke-dasharray');
});

test('percentiles are to three digits, also of what was added up from several processes', () => {
  expect(latency(...Array.from({ length: 1_000 }, (_, at) => at + 1))).toMatchObject({
    count: 1_000,
    p50: expect.closeTo(500, -1),
    p99: expect.closeTo(990, -1),
    max: expect.closeTo(1_000, -1),
  });
});

test('how far the stages are behind is read from what the processes tell', () => {
  const metrics = `# HELP brokerx_engine_lag_positions x
brokerx_engine_lag_positions{service="engine"} 3
brokerx_settlement_lag{service="command-api"} 7
brokerx_projection_lag{projection="wallet",service="projectors"} 5
brokerx_projection_lag{projection="orders",service="projectors"} 9
brokerx_projection_position{projection="wallet",service="projectors"} 95
brokerx_projection_position{projection="orders",service="projectors"} 91
brokerx_market_data_position{service="projectors"} 98
brokerx_engine_inputs_total{service="engine"} 40
`;
  expect(stagesIn(metrics)).toEqual({
    lag: { match: 3, settlement: 7, view: 9, 'market data': 2 },
    done: { match: 40 },
  });
  expect(stagesIn('')).toEqual({ lag: {}, done: {} });
});
