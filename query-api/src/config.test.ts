import { expect, test } from 'vitest';
import { queryConfig } from './config.ts';

const needed = { DATABASE_URL: 'postgres://brokerx:secret@127.0.0.1:5432/brokerx' };

test('issuer and keys of tokens are those of the command-api that is named, unless others are set', () => {
  const { issuer, jwksUrl } = queryConfig(needed);
  expect([issuer, jwksUrl]).toEqual(['http://127.0.0.1:8001', 'http://127.0.0.1:8001/.well-known/jwks.json']);
  const elsewhere = { ...needed, COMMAND_API_URL: 'http://127.0.0.1:9001' };
  expect(queryConfig(elsewhere)).toMatchObject({
    issuer: 'http://127.0.0.1:9001',
    jwksUrl: 'http://127.0.0.1:9001/.well-known/jwks.json',
  });
  const named = { ...elsewhere, AUTH_ISSUER: 'brokerx', AUTH_JWKS_URL: 'http://keys/jwks.json' };
  expect(queryConfig(named)).toMatchObject({ issuer: 'brokerx', jwksUrl: 'http://keys/jwks.json' });
});
