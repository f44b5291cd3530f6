import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('with --json it tells one object, and how far it is on stderr alone', async () => {
  const script = join(import.meta.dirname, 'main.ts');
  const options = ['--seed', '3', '--inputs', '200', '--json'];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, ...options]);
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ ok: true, seed: 3, seeds: 1, inputs: 200 });
  expect(stderr).toMatch(/^seed 3: 200 inputs, \d+ outputs, no difference\n$/);
});
