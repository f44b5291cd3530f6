import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { ConfigError } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { commandApiConfig } from './config.ts';
import { inboxConfig } from './mail/config.ts';

const needed = {
  BROKERX_MODE: 'development',
  DATABASE_URL: 'postgres://brokerx:secret@127.0.0.1:5432/brokerx',
  BROKERX_MASTER_KEY: randomBytes(32).toString('base64'),
  AUTH_PRIVATE_JWK: JSON.stringify(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  ),
};
const operator = { OPERATOR_EMAIL: 'operator@example.com', OPERATOR_PASSWORD: 'correct horse battery' };

test('an operator is configured whole or not at all', () => {
  expect(commandApiConfig({ ...needed, ...operator })).toMatchObject(operator);
  expect(commandApiConfig(needed)).toMatchObject({ PUBLIC_REQUESTS_PER_MINUTE_MAX: 3_000 });
});

test.for([
  ['OPERATOR_EMAIL', 'OPERATOR_PASSWORD'],
  ['OPERATOR_PASSWORD', 'OPERATOR_EMAIL'],
] as const)('%s without %s is refused, and both are named', ([set, missing]) => {
  const load = () => commandApiConfig({ ...needed, ...operator, [missing]: '' });
  expect(load).toThrow(ConfigError);
  expect(load).toThrow(`${set}: is set without ${missing}: set both or neither`);
  expect(load).not.toThrow(operator[set]);
});

test.for([
  ['VAULT_URL', 'postgres://user:canary/1@h:5432/x'],
  ['READ_DATABASE_URL', 'postgres://h:abc/x'],
  ['SMTP_URL', 'smtp://'],
  ['SMTP_URL', 'smtp://h:99999'],
  ['SMTP_URL', 'smtps://user:canary/1@h'],
] as const)('%s: an address that names no server is told, without its secret: %s', ([name, address]) => {
  const load = () => commandApiConfig({ ...needed, [name]: address });
  expect(load).toThrow(`${name}: must be an address such as `);
  expect(load).not.toThrow('canary');
});

const { BROKERX_MODE: _, ...unsaid } = needed;

test.for([
  ['unset', unsaid],
  ['production', { ...needed, BROKERX_MODE: 'production' }],
] as const)('a mode that is %s is production: it needs a mail server, and shows no inbox', ([, given]) => {
  expect(() => commandApiConfig(given)).toThrow(
    'SMTP_URL: is not set, and production sends passcodes by mail',
  );
  const mailed = { ...given, SMTP_URL: 'smtps://mail.example.com' };
  expect(commandApiConfig(mailed)).toMatchObject({ BROKERX_MODE: 'production' });
  expect(() => commandApiConfig({ ...mailed, DEV_INBOX_URL: 'http://127.0.0.1:8001' })).toThrow(
    'DEV_INBOX_URL: is set, and production shows no inbox',
  );
});

test('the development inbox as a process runs in development alone', () => {
  expect(inboxConfig({ BROKERX_MODE: 'development' })).toMatchObject({ INBOX_PORT: 8025 });
  expect(() => inboxConfig({})).toThrow('BROKERX_MODE: is not set');
  expect(() => inboxConfig({ BROKERX_MODE: 'production' })).toThrow('BROKERX_MODE: must be development');
});

test('the issuer of tokens follows the port, unless another one is set', () => {
  expect(commandApiConfig(needed).AUTH_ISSUER).toBe('http://127.0.0.1:8001');
  expect(commandApiConfig({ ...needed, COMMAND_API_PORT: '9001' }).AUTH_ISSUER).toBe('http://127.0.0.1:9001');
  expect(commandApiConfig({ ...needed, AUTH_ISSUER: 'brokerx' }).AUTH_ISSUER).toBe('brokerx');
});

test('a reminder of the end of a registration comes after its beginning, or not at all', () => {
  const hour = { ...needed, REGISTRATION_OPEN_SECONDS: '3600' };
  expect(() => commandApiConfig(hour)).toThrow(
    'REGISTRATION_REMINDER_SECONDS: must be less than REGISTRATION_OPEN_SECONDS, which is 3600',
  );
  for (const REGISTRATION_REMINDER_SECONDS of ['3599', '0']) {
    expect(() => commandApiConfig({ ...hour, REGISTRATION_REMINDER_SECONDS })).not.toThrow();
  }
});
