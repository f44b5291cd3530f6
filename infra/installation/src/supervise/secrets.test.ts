import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installationSecrets, newSecrets } from './secrets.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'brokerx-secrets-'));
  path = join(folder, 'secrets.json');
});
afterEach(() => rmSync(folder, { recursive: true }));
const stored = () => JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;

test('secrets are made once, for their owner alone', () => {
  const made = installationSecrets(folder);
  expect(stored()).toEqual(made);
  expect(installationSecrets(folder)).toEqual(made);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test.for(Object.keys(newSecrets()))('a file without %s is given one, and all others stay', (missing) => {
  const { [missing]: _, ...before } = installationSecrets(folder) as Record<string, string>;
  writeFileSync(path, JSON.stringify({ ...before, OF_A_LATER_VERSION: 'kept' }));
  const after = installationSecrets(folder);
  expect(after).toMatchObject({ ...before, OF_A_LATER_VERSION: 'kept' });
  expect(after).toHaveProperty(missing);
  expect(stored()).toEqual(after);
});

test('nothing is made up beside data that a lost key protects', () => {
  mkdirSync(join(folder, 'postgres', 'data'), { recursive: true });
  expect(() => installationSecrets(folder)).toThrow('secrets.json is missing, but there is a database');
  writeFileSync(path, '{"OPERATOR_EMAIL":"operator@example.com"}');
  expect(() => installationSecrets(folder)).toThrow(
    'secrets.json has no BROKERX_MASTER_KEY, but there is a database',
  );
});

test.for(['{"BROKERX_MASTER_KEY":"secr', '"secret"', '["secret"]', ''])(
  'a damaged file (%s) is named, and nothing of it repeated',
  (text) => {
    writeFileSync(path, text);
    expect(() => installationSecrets(folder)).toThrow(
      /secrets\.json is not a JSON object: put it back from a backup\.$/,
    );
    expect(readFileSync(path, 'utf8')).toBe(text);
  },
);
