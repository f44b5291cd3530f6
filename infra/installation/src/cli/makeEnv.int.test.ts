import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'brokerx-make-env-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function brokerx(...args: string[]) {
  const env = { PATH: [folder, process.env.PATH].join(delimiter) };
  const script = join(import.meta.dirname, 'main.ts');
  const { status, stderr } = spawnSync(process.execPath, [script, ...args], { env, encoding: 'utf8' });
  return { status, stderr };
}

test('flags for a new file are told to have had no effect on one that is there', () => {
  const file = join(folder, 'env');
  expect(brokerx('make-env', '--file', file, '--demo').stderr).not.toContain('no effect');
  expect(brokerx('make-env', '--file', file).stderr).not.toContain('no effect');
  const again = brokerx('make-env', '--file', file, '--demo', '--without', 'kurrentdb');
  expect(again.stderr).toContain(`--demo and --without had no effect: ${file} was there`);
});

test('a Docker without Compose is named as that', () => {
  writeFileSync(join(folder, 'docker'), '#!/bin/sh\necho "unknown flag: --file" >&2\nexit 125\n', {
    mode: 0o755,
  });
  const file = join(folder, 'env');
  brokerx('make-env', '--file', file, '--demo');
  expect(brokerx('rollback', '--env-file', file, 'a-tag')).toEqual({
    status: 1,
    stderr: 'brokerx: Docker has no Compose here: install its plugin (docker compose version must answer)\n',
  });
});
