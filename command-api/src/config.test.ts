import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { ConfigError } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { commandApiConfig } from './config.ts';

const needed = {
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
