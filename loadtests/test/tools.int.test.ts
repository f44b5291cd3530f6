import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RAISED_BOUNDS, RAISED_BOUNDS_NOTICE } from '../src/own/raisedBounds.ts';

/** A wrong number must not lead to a run that measures or checks nothing and succeeds. */
const repository = join(import.meta.dirname, '../..');

test.for([
  ['loadtests/src/benchOrders.ts', '--seconds', '0'],
  ['loadtests/src/load.ts', '--rate', 'fast'],
  ['loadtests/src/benchAll.ts', '--history', 'long'],
  ['loadtests/src/bookCheck.ts', '--seconds', 'x'],
  ['loadtests/src/bookCheck.ts', '--engines', 'two'],
  ['loadtests/src/crashDrill.ts', '--kills', '1.5'],
  ['loadtests/src/audit.ts', '--rows-max', 'all'],
  ['loadtests/src/replay.ts', '--rows', '-1'],
  ['matching-engine/sim/main.ts', '--inputs', 'many'],
  ['matching-engine/bench/engine.bench.ts', '--rounds', 'zero'],
  ['infra/bench/store.bench.ts', '--seconds', '0'],
  ['infra/bench/eventStoreDb.bench.ts', '--seed', 'x'],
] as const)('%s %s %s is refused in one line that names the option', ([script, option, value]) => {
  const ended = spawnSync(process.execPath, [join(repository, script), `${option}=${value}`], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(ended.status).toBe(2);
  expect(ended.stdout).toBe('');
  expect(ended.stderr).toMatch(
    new RegExp(`^error: option '${option} <\\w+>' argument '.*' is invalid\\. It must be .+\\n$`),
  );
});

/** A tool without a server to measure or a file to replay must not succeed either. */
test.for([
  [['infra/bench/eventStoreDb.bench.ts'], 'EVENTSTORE_URL is not set'],
  [['infra/bench/eventStoreDb.bench.ts', '--nope'], 'unknown option'],
  [['infra/bench/store.bench.ts', '--nope'], 'unknown option'],
  [['loadtests/src/replay.ts'], 'missing required argument'],
  [['loadtests/src/replay.ts', '/no/such.csv'], '/no/such.csv cannot be replayed'],
  [['loadtests/src/replay.ts', import.meta.filename], 'line 1: '],
  [['loadtests/src/replay.ts', '/dev/null'], 'no order in it'],
  [['loadtests/src/crashDrill.ts', '--kills=0'], 'nothing to do'],
  [['loadtests/src/benchRecovery.ts', '--faults=moon'], 'some of command-api,'],
  [['loadtests/src/benchOrders.ts', '--profiles=moon'], 'moon'],
  [['loadtests/src/benchOrders.ts', '--preload=9', '--command-url=http://127.0.0.1:9'], '--preload'],
  [['loadtests/src/benchAll.ts', '--only=moon'], 'some of engine, store,'],
  [['loadtests/src/load.ts'], 'missing required argument'],
  [['loadtests/src/load.ts', 'moon'], 'there is no scenario moon'],
  [['loadtests/src/load.ts', 'original-browse', '--rate=9'], 'driven by its users'],
  [
    ['loadtests/src/load.ts', 'with-faults', '--command-url=http://127.0.0.1:9'],
    'an installation of its own',
  ],
  [['loadtests/src/load.ts', 'steady', '--compare=/no/such.json'], '/no/such.json'],
  [['loadtests/src/load.ts', 'capacity', '--of=original-browse'], 'no rate to search with'],
  [['loadtests/src/audit.ts'], '--operator-email'],
  [['matching-engine/bench/engine.bench.ts', '--flow-file=/no/such.csv'], '/no/such.csv is not there'],
  [['infra/installation/src/cli/main.ts', 'migrate-store'], '--from'],
] as const)('%s: nothing can be done, which is a usage error', ([[script, ...args], why]) => {
  const ended = spawnSync(process.execPath, [join(repository, script), ...args], {
    encoding: 'utf8',
    timeout: 20_000,
    env: { PATH: process.env.PATH },
  });
  expect(ended.status).toBe(2);
  expect(ended.stdout).toBe('');
  expect(ended.stderr).toMatch(/^error: .+\n$/);
  expect(ended.stderr).toContain(why);
});

test('bounds of an address that a load raises are those that there are, and it says which', () => {
  const explained = readFileSync(join(repository, '.env.example'), 'utf8');
  const bounds = [...explained.matchAll(/^(\w+_PER_ADDRESS_MAX)=\d+$/gm)]
    .map(([, name]) => name)
    // No load sends wrong passwords.
    .filter((name) => name !== 'SIGN_IN_FAILURES_PER_ADDRESS_MAX');
  expect(Object.keys(RAISED_BOUNDS)).toEqual(bounds);
  for (const name of bounds) expect(RAISED_BOUNDS_NOTICE).toContain(`${name}=`);
});
