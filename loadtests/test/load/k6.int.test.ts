import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { REPOSITORY } from '../../src/config.ts';
import { SCENARIOS } from '../../src/load/scenarios/catalog.ts';

const folder = join(REPOSITORY, 'loadtests/k6');
const scripts = globSync(join(folder, '*.js')).filter((path) => basename(path) !== 'brokerx.js');
/** k6 cannot kill a process. */
const LAB_ALONE = ['with-faults'];

test('every scenario has a script of k6, and docs/load.md names them all', () => {
  const names = SCENARIOS.map(({ name }) => name);
  const wanted = names.filter((name) => !LAB_ALONE.includes(name)).toSorted();
  expect(scripts.map((path) => basename(path, '.js')).toSorted()).toEqual(wanted);
  const page = readFileSync(join(REPOSITORY, 'docs/load.md'), 'utf8');
  for (const name of names) expect(page).toContain(`\`${name}\``);
});

const k6 = process.env.K6 ?? 'k6';
const found = spawnSync(k6, ['version'], { encoding: 'utf8' });
if (found.error) {
  test('NO K6 HERE: ITS SCRIPTS ARE NOT TRIED (go install go.k6.io/k6@v1.8.1, or K6=/path/to/k6)', () => {
    process.stderr.write('\nNO K6 HERE: the scripts of loadtests/k6 are not tried.\n');
  });
} else {
  test.for(scripts.map((path) => basename(path)))('k6 understands %s', (name) => {
    const people = join(REPOSITORY, 'loadtests/test/load/people.json');
    const ended = spawnSync(k6, ['inspect', '-e', `PEOPLE=${people}`, name], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(ended.stderr).toBe('');
    expect(JSON.parse(ended.stdout)).toMatchObject({ scenarios: { load: expect.anything() } });
  });
}
