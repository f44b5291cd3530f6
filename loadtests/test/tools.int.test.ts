import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RAISED_BOUNDS, RAISED_BOUNDS_TOLD } from '../src/raisedBounds.ts';

/** A number that is none must not become a run that measures or checks nothing and is content. */
const repository = join(import.meta.dirname, '../..');

test.for([
  ['loadtests/src/benchOrders.ts', '--seconds', '0'],
  ['loadtests/src/bookCheck.ts', '--seconds', 'x'],
  ['loadtests/src/bookCheck.ts', '--engines', 'two'],
  ['loadtests/src/crashDrill.ts', '--kills', '1.5'],
  ['loadtests/src/audit.ts', '--rows-max', 'all'],
  ['loadtests/src/replay.ts', '--rows', '-1'],
  ['matching-engine/sim/main.ts', '--inputs', 'many'],
  ['matching-engine/bench/engine.bench.ts', '--rounds', 'zero'],
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

test('bounds of an address that a load raises are those that there are, and it says which', () => {
  const explained = readFileSync(join(repository, '.env.example'), 'utf8');
  const bounds = [...explained.matchAll(/^(\w+_PER_ADDRESS_MAX)=\d+$/gm)]
    .map(([, name]) => name)
    // No load guesses at passwords.
    .filter((name) => name !== 'SIGN_IN_FAILURES_PER_ADDRESS_MAX');
  expect(Object.keys(RAISED_BOUNDS)).toEqual(bounds);
  for (const name of bounds) expect(RAISED_BOUNDS_TOLD).toContain(`${name}=`);
});
