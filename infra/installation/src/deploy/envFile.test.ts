import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { parseMasterKey } from '@brokerx/infra/vault/sealing.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readEnvFile, setInEnvFile, withMissing } from './envFile.ts';
import { missingInEnvFile, newEnvFile } from './newEnvFile.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'brokerx-env-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a new one has secrets that services take, and addresses of the servers that are wanted', () => {
  const path = join(folder, '.env');
  writeFileSync(path, newEnvFile({ servers: ['redis'], demo: true, network: '10.9.8' }));
  const made = readEnvFile(path);
  expect(parseMasterKey(made.BROKERX_MASTER_KEY ?? '')).toBeDefined();
  expect(JSON.parse(made.AUTH_PRIVATE_JWK ?? '')).toMatchObject({
    kty: 'EC',
    crv: 'P-256',
    d: expect.any(String),
  });
  expect(made).toMatchObject({
    BROKERX_MODE: 'development',
    COMPOSE_PROFILES: 'redis,inbox,traders',
    EVENTSTORE_URL: '',
    KAFKA_BROKERS: '',
    REDIS_URL: `redis://:${made.REDIS_PASSWORD}@redis:6379`,
    GATEWAY_INBOX: '10.9.8.31:8080',
    GATEWAY_PUBLISH: '127.0.0.1:8080',
  });
  const { POSTGRES_PASSWORD, VAULT_PASSWORD, REDIS_PASSWORD } = made;
  expect(new Set([POSTGRES_PASSWORD, VAULT_PASSWORD, REDIS_PASSWORD]).size).toBe(3);
});

test('one that is for people is of production, and has no mail server yet', () => {
  const path = join(folder, '.env');
  writeFileSync(path, newEnvFile({ servers: [], demo: false, network: '10.9.8' }));
  expect(readEnvFile(path)).toMatchObject({ BROKERX_MODE: 'production', SMTP_URL: '', GATEWAY_INBOX: '' });
});

test('a file of an earlier version is given what it lacks, and no line of it changes', () => {
  const whole = newEnvFile({ servers: ['redis'], demo: true, network: '10.9.8' });
  for (const name of ['BROKERX_MODE', 'AUTH_PRIVATE_JWK', 'OPERATOR_PASSWORD', 'VAULT_PASSWORD']) {
    const before = whole.replace(new RegExp(`^${name}=.*\n`, 'm'), '');
    const { text, added } = withMissing(before, missingInEnvFile(parseEnv(before) as Record<string, string>));
    expect(added).toEqual([name]);
    expect(text.startsWith(before.trimEnd())).toBe(true);
    expect(parseEnv(text)).toMatchObject({ ...parseEnv(before), [name]: expect.stringMatching(/./) });
  }
  const { text, added } = withMissing(whole, missingInEnvFile({}));
  expect([text, added]).toEqual([whole, []]);
});

test('what is set to nothing is a choice, and stays', () => {
  expect(withMissing('VAULT_PASSWORD=\n', 'VAULT_PASSWORD=new\n')).toEqual({
    text: 'VAULT_PASSWORD=\n',
    added: [],
  });
});

test('a file with the inbox of a demonstration is of one, any other of production', () => {
  const modeOf = (profiles: string) =>
    parseEnv(missingInEnvFile({ COMPOSE_PROFILES: profiles }))['BROKERX_MODE'];
  expect([modeOf('kafka,inbox,traders'), modeOf('kafka'), modeOf('')]).toEqual([
    'development',
    'production',
    'production',
  ]);
});

test('one variable is changed or added, all else stays, and only its owner may read it', () => {
  const path = join(folder, '.env');
  writeFileSync(path, '# Kept.\nKEY=\'{"a":"$&"}\'\nTAG=one\nMORE=1\n');
  setInEnvFile(path, 'TAG', 'two');
  setInEnvFile(path, 'OTHER', 'three');
  expect(readFileSync(path, 'utf8')).toBe('# Kept.\nKEY=\'{"a":"$&"}\'\nTAG=two\nMORE=1\nOTHER=three\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
