import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditInstallation } from '../../src/audit.ts';
import { EXIT } from '../../src/cli/report.ts';
import { REPOSITORY } from '../../src/config.ts';
import { STAGES } from '../../src/load/generator/protocol.ts';
import type { LoadFigures } from '../../src/load/report/figures.ts';
import { capacity } from '../../src/load/run/capacity.ts';
import { type Prepared, prepare } from '../../src/load/run/prepare.ts';
import { type Run, runScenario } from '../../src/load/run/runScenario.ts';
import { scenarioOf } from '../../src/load/scenarios/catalog.ts';
import type { Scenario } from '../../src/load/scenarios/scenario.ts';
import { withoutFigures } from '../../src/load.ts';
import { openTarget, type Target } from '../../src/own/target.ts';
import { signIn } from '../../src/people.ts';

/** One installation for all of it: each scenario for a moment, the audit over all of them, and the command as people call it. */
let target: Target;
let prepared: Prepared;
const runs: Pick<Run, 'journals' | 'remove'>[] = [];
const OPTIONS = {
  seed: 1,
  generators: 1,
  connectionsMax: 20,
  probesPerSecond: 2,
  onPoint: () => undefined,
  onSample: () => undefined,
};
const SHORT = { seconds: 1, warmUpSeconds: 0, users: 3 };
const named = (name: string) => scenarioOf(name) as Scenario;

beforeAll(async () => {
  target = await openTarget({}, { connections: 8 });
  prepared = await prepare(target, { ...named('steady'), ...SHORT });
});
afterAll(async () => {
  for (const run of runs) run.remove();
  await target?.close();
});

async function play(scenario: Scenario): Promise<Run> {
  const run = await runScenario(target, { ...prepared, scenario }, OPTIONS);
  runs.push(run);
  return run;
}

test('every kind of request is answered, streams are followed, and users go one step after the other and rest', async () => {
  const mix = { place: 3, batch: 1, place_over_websocket: 2, wallet: 1, holdings: 1, orders: 1 };
  const everything: Scenario = {
    ...named('slow-clients'),
    ...SHORT,
    followers: 2,
    slowClients: 2,
    drive: {
      by: 'rate',
      rate: 40,
      phases: [{ share: 1, from: 1, to: 1 }],
      mix: { ...mix, depth: 1, ticker: 1, sign_in: 1 },
    },
  };
  const { totals, points } = await play(everything);
  for (const [action, counts] of Object.entries(totals.actions)) {
    expect(counts, action).toMatchObject({ unknown: 0, unsent: 0 });
    expect(counts.ok, action).toBeGreaterThan(0);
  }
  expect(Object.keys(totals.actions)).toHaveLength(9);
  expect(totals.streamedMessages).toBeGreaterThan(0);
  expect(Math.max(...points.map(({ slowOpen }) => slowOpen))).toBe(2);

  // A cancel that is due before any order was answered places one instead: a machine that is slow enough has no other.
  const cancels: Scenario = {
    ...named('steady'),
    ...SHORT,
    seconds: 2,
    drive: { by: 'rate', rate: 10, phases: [{ share: 1, from: 1, to: 1 }], mix: { place: 1, cancel: 1 } },
  };
  await expect.poll(async () => (await play(cancels)).totals.actions.cancel?.ok ?? 0).toBeGreaterThan(0);

  const journey = ['holdings', 'wallet', 'orders', 'place'] as const;
  const users: Scenario = {
    ...named('original-browse'),
    ...SHORT,
    seconds: 3,
    orders: { kind: 'fixed', symbol: 'LOAD1', qty: '10', limitPrice: '95.00' },
    drive: { by: 'users', rampUpSeconds: 0, rampDownSeconds: 0, journey: [...journey], restMs: 200 },
  };
  const browsed = (await play(users)).totals.actions;
  // Nobody is ahead of what stands before in the journey, and all of them rest.
  expect(browsed.holdings?.sent).toBeGreaterThanOrEqual(3);
  expect(browsed.holdings?.sent).toBeGreaterThanOrEqual(browsed.place?.sent ?? 0);
  expect(browsed.holdings?.sent).toBeLessThanOrEqual(3 * 15);
});

test('each stage is told for itself, also while a process is killed in the middle', async () => {
  const drive = { ...named('with-faults').drive, rate: 20 } as Scenario['drive'];
  const { totals, faults, samples, cpuSeconds } = await play({
    ...named('with-faults'),
    ...SHORT,
    seconds: 3,
    drive,
  });
  expect(faults).toMatchObject([{ process: 'matching-engine', backAt: expect.any(Number) }]);
  expect(totals.orders.count).toBe(60);
  for (const stage of STAGES) expect(totals.stages[stage].count, stage).toBe(totals.probes.sent);
  expect(totals.probes).toEqual({ sent: 6, refused: 0, unseen: 0 });
  // Nothing is settled before it matched, nor shown before it settled.
  const { match, settlement, view } = totals.stages;
  expect(match.max).toBeLessThanOrEqual(settlement.max);
  expect(settlement.max).toBeLessThanOrEqual(view.max);
  expect(samples.at(-1)?.lag).toMatchObject({ match: 0, settlement: 0, view: 0 });
  expect(Object.keys(cpuSeconds)).toEqual(
    expect.arrayContaining(['command-api', 'postgres', 'generator', 'probe', 'load command']),
  );
});

test('the capacity is searched step by step, for a rate and for users', async () => {
  const found = await capacity(target, {
    scenario: { ...named('steady'), ...SHORT },
    journey: named('original-browse'),
    usersMax: 2,
    first: { rate: 5, users: 1 },
    rateMax: 10,
    bounds: { p95Ms: 60_000, lagMs: 60_000, errors: 0.05 },
    options: { ...OPTIONS, probesPerSecond: 0 },
  });
  runs.push(found);
  expect(found.figures).toMatchObject({
    rate: 10,
    users: 2,
    steps: [
      { asked: 5, holds: true },
      { asked: 10, holds: true },
    ],
    steps_of_users: [
      { asked: 1, holds: true },
      { asked: 2, holds: true },
    ],
  });
  expect(found.tables.map(({ title }) => title)).toEqual([
    'Highest rate of steady: 10/s',
    'Most users of original-browse: 2',
  ]);
});

test('what the runs’ journals say is what is stored, and a run that fails the audit has no figure', async () => {
  const everyEntry = function* () {
    for (const run of runs) yield* run.journals();
  };
  const { api, operator } = target;
  const audited = await auditInstallation({ api, operator: operator.person, journals: everyEntry() });
  expect(audited.findings.list).toEqual([]);
  const [first] = everyEntry();
  const invented = {
    ...first,
    key: '01900000-0000-7000-8000-00000000dead',
    kind: 'place',
    outcome: 'ok',
  } as const;
  const lost = await auditInstallation({
    api,
    operator: operator.person,
    journals: [...everyEntry(), invented as never],
    readModels: false,
  });
  expect(lost.findings.list).toMatchObject([{ check: 'lost' }]);
  const told = withoutFigures(lost);
  expect(told.exitCode).toBe(EXIT.lost);
  expect(Object.keys(told.figures)).toEqual(['audit']);
});

test('`brokerx people create` writes people who can sign in and have means', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-people-'));
  const { status, dataDir } = target.installation as NonNullable<Target['installation']>;
  const out = join(folder, 'people.json');
  const brokerx = join(REPOSITORY, 'infra/installation/src/cli/main.ts');
  const create = (url: string, data: string) =>
    promisify(execFile)(process.execPath, [
      brokerx,
      'people',
      'create',
      '--count=3',
      '--cash=2500.00',
      '--shares=LOAD1=7',
      `--out=${out}`,
      `--command-url=${url}`,
      `--data=${data}`,
    ]);
  try {
    await create(status.commandUrl, dataDir);
    const made = JSON.parse(readFileSync(out, 'utf8')) as { password: string; people: { email: string }[] };
    expect(made.people).toHaveLength(3);
    const person = await signIn(target.api, made.people[2]?.email ?? '', made.password);
    const token = await person.token();
    await expect.poll(() => target.api.query('/v1/wallet', { token })).toMatchObject({ cash: '2500.00' });
    // No operator there, and no server: told in a line, and nothing is written.
    rmSync(out);
    await expect(create(status.commandUrl, folder)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: there is no operator in .*\n$/),
    });
    await expect(create('http://127.0.0.1:9', dataDir)).rejects.toMatchObject({
      stderr: expect.stringMatching(/^error: http:\/\/127\.0\.0\.1:9\/v1\/sessions cannot be reached: .*\n$/),
    });
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the command drives an installation at its address and writes the report', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-reports-'));
  const { commandUrl, queryUrl, operatorEmail, operatorPassword } = (
    target.installation as NonNullable<Target['installation']>
  ).status;
  const address = [`--command-url=${commandUrl}`, `--query-url=${queryUrl}`];
  const operator = [`--operator-email=${operatorEmail}`, `--operator-password=${operatorPassword}`];
  const sizes = [
    '--rate=20',
    '--users=2',
    '--symbols=1',
    '--seconds=1',
    '--warm-up-seconds=0',
    '--bare-seconds=1',
  ];
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [
        join(REPOSITORY, 'loadtests/src/load.ts'),
        'steady',
        ...address,
        ...operator,
        ...sizes,
        `--out=${folder}`,
      ],
      { maxBuffer: 8 << 20 },
    );
    expect(stdout).toContain('orders/s end to end');
    // No terminal: plain lines.
    expect(stderr).toMatch(/^ +\d+ s {2}\d+\/s {2}p50 /m);
    const files = readdirSync(folder).toSorted();
    expect(files).toEqual([
      expect.stringMatching(/^steady-.*\.html$/),
      expect.stringMatching(/^steady-.*\.json$/),
    ]);
    const figures = JSON.parse(readFileSync(join(folder, files[1] as string), 'utf8')) as LoadFigures;
    expect(figures).toMatchObject({
      where: commandUrl,
      headline: { of: 'orders', count: 20, errors: 0 },
      audit: { ok: true },
      bare: { requestsPerSecond: expect.any(Number), atRate: { count: 20 } },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
