import { expect, test } from 'vitest';
import { sameForAll } from '../database/databaseRoles.ts';
import { ONE_OF_EACH } from './instances.ts';
import { brokerxServices } from './serviceCatalog.ts';

const secrets = {
  BROKERX_MASTER_KEY: 'key',
  AUTH_PRIVATE_JWK: 'jwk',
  OPERATOR_EMAIL: 'operator@brokerx.example',
  OPERATOR_PASSWORD: 'password',
};
const surroundings = {
  root: '/brokerx',
  dataDir: '/data',
  databaseUrls: sameForAll('postgres://x'),
  ports: { command: [8001, 8011], query: [8002, 8012], inbox: 9000 },
  mode: 'development' as const,
  secrets,
  env: {},
  traders: false,
};

test('one of each kind is called by its service, and by number towards the others', () => {
  const services = brokerxServices({ ...surroundings, counts: ONE_OF_EACH });
  expect(services.map(({ name, port, env }) => [name, env['BROKERX_INSTANCE'], port])).toEqual([
    ['matching-engine', 'matching-engine-1', 'free'],
    ['command-api', 'command-api-1', 8001],
    ['projectors', 'projectors-1', 'free'],
    ['query-api', 'query-api-1', 8002],
  ]);
  expect(services[1]?.env).not.toHaveProperty('DEV_INBOX_SMTP_PORT');
});

test('several of a kind have numbers, ports of their own and one inbox', () => {
  const counts = { commandApis: 2, engines: 3, projectors: 1, queryApis: 2 };
  const services = brokerxServices({ ...surroundings, counts });
  expect(services.map(({ name, port, env }) => [name, env['BROKERX_INSTANCE'], port])).toEqual([
    ['matching-engine-1', 'matching-engine-1', 'free'],
    ['matching-engine-2', 'matching-engine-2', 'free'],
    ['matching-engine-3', 'matching-engine-3', 'free'],
    ['command-api-1', 'command-api-1', 8001],
    ['command-api-2', 'command-api-2', 8011],
    ['projectors', 'projectors-1', 'free'],
    ['query-api-1', 'query-api-1', 8002],
    ['query-api-2', 'query-api-2', 8012],
  ]);
  const envOf = (name: string) => services.find((service) => service.name === name)?.env;
  expect(envOf('command-api-1')).toMatchObject({ COMMAND_API_PORT: '8001', DEV_INBOX_SMTP_PORT: '9000' });
  expect(envOf('command-api-2')).toMatchObject({
    COMMAND_API_PORT: '8011',
    SMTP_URL: 'smtp://127.0.0.1:9000',
    DEV_INBOX_URL: 'http://127.0.0.1:8001',
  });
  expect(envOf('query-api-2')).toMatchObject({
    QUERY_API_PORT: '8012',
    AUTH_JWKS_URL: 'http://127.0.0.1:8011/.well-known/jwks.json',
    COMMAND_API_URL: 'http://127.0.0.1:8011',
  });
  expect(envOf('matching-engine-1')).not.toHaveProperty('AUTH_PRIVATE_JWK');
});

test('where a mail server is configured, nobody has an inbox', () => {
  const counts = { ...ONE_OF_EACH, commandApis: 2 };
  const services = brokerxServices({ ...surroundings, env: { SMTP_URL: 'smtp://mail' }, counts });
  expect(services.map(({ env }) => [env['SMTP_URL'], env['DEV_INBOX_URL']])).toEqual(
    services.map(() => ['smtp://mail', undefined]),
  );
});

test('every process is told the mode, and in production nobody has an inbox, whatever is missing', () => {
  const counts = { ...ONE_OF_EACH, commandApis: 2 };
  const services = brokerxServices({ ...surroundings, mode: 'production', counts });
  expect(services.map(({ env }) => env['BROKERX_MODE'])).toEqual(services.map(() => 'production'));
  const inboxes = services.map(({ env }) => [env['DEV_INBOX_SMTP_PORT'], env['DEV_INBOX_URL']]);
  expect(inboxes).toEqual(services.map(() => [undefined, undefined]));
});

test('every address follows the ports: of the issuer, of the keys, of the inbox, of the other API', () => {
  const ports = { command: [9001, 9011], query: [9002, 9012], inbox: 9100 };
  const counts = { ...ONE_OF_EACH, commandApis: 2, queryApis: 2 };
  const services = brokerxServices({ ...surroundings, ports, counts, traders: true });
  expect(services.map(({ env }) => env['AUTH_ISSUER'])).toEqual(services.map(() => 'http://127.0.0.1:9001'));
  const text = JSON.stringify(services);
  expect(text).toContain('http://127.0.0.1:9011/.well-known/jwks.json');
  expect(text).not.toMatch(/\b80[01][12]\b/);
  const named = brokerxServices({ ...surroundings, ports, counts, env: { AUTH_ISSUER: 'brokerx' } });
  expect(named.map(({ env }) => env['AUTH_ISSUER'])).toEqual(named.map(() => 'brokerx'));
});

test('engines alone are given large pages, unless the variable is set already', () => {
  const tunables = (env: Record<string, string>) =>
    brokerxServices({ ...surroundings, env, counts: ONE_OF_EACH }).map(
      (service) => service.env['GLIBC_TUNABLES'],
    );
  expect(tunables({})).toEqual(['glibc.malloc.hugetlb=1', undefined, undefined, undefined]);
  expect(tunables({ GLIBC_TUNABLES: 'x=1' })).toEqual(['x=1', 'x=1', 'x=1', 'x=1']);
});
