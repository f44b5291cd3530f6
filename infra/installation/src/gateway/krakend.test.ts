import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import type { ApiRoute } from './apiRoutes.ts';
import { gatewaySettings } from './gateway.settings.ts';
import { krakendConfig } from './krakend.ts';

/**
 * `krakend-that-ran.json` passed `krakend check` and carried the story of two people through KrakenD CE 2.13.8. It names two
 * hosts where one name is made now, and takes the keys from one of them.
 */
const infra = resolve(import.meta.dirname, '../../..');
const text = readFileSync(join(infra, 'fixtures/krakend-that-ran.json'), 'utf8')
  .replaceAll(/"http:\/\/(command|query)-api-1:8080",\s*"http:\/\/\1-api-2:8080"/g, '"http://$1-api:8080"')
  .replaceAll('http://command-api-1:8080/', 'http://command-api:8080/');
const ran = JSON.parse(text) as Config;
type Config = { extra_config: Record<string, unknown>; endpoints: Endpoint[] };
type Endpoint = {
  endpoint: string;
  method: string;
  input_headers: string[];
  backend: { host: string[] }[];
  extra_config: { 'auth/validator'?: { roles: string[] }; 'qos/ratelimit/router': { every?: string } };
};

/** The headers that every endpoint passes on, beside those that its route reads. */
const COMMON = ['Accept', 'Authorization', 'Content-Type', 'traceparent'];
const routes = ran.endpoints.map((endpoint): ApiRoute => {
  const { method, input_headers, backend, extra_config } = endpoint;
  const api = backend[0]?.host[0]?.includes('command') ? 'command' : 'query';
  return {
    api,
    method,
    path: endpoint.endpoint,
    kind: api === 'query' ? 'query' : method === 'GET' ? 'command_read' : 'command',
    roles: extra_config['auth/validator']?.roles ?? null,
    headers: input_headers.filter((name) => !COMMON.includes(name)),
    queries: [],
  };
});
const environment = {
  GATEWAY_COMMAND_APIS: 'command-api:8080',
  GATEWAY_QUERY_APIS: 'query-api:8080',
  GATEWAY_CORS_ORIGINS: 'https://trade.brokerx.example',
};
const made = (more: Record<string, string> = {}, some: readonly ApiRoute[] = routes) =>
  JSON.parse(krakendConfig(some, gatewaySettings({ ...environment, ...more }))) as Config;

test('with tokens checked by KrakenD it is what ran', () => {
  expect(made({ GATEWAY_TOKEN_ISSUER: 'brokerx' })).toEqual(ran);
});

test('left to itself it is the same, but tokens are checked by the APIs alone', () => {
  const { 'auth/validator': _, ...extra_config } = ran.extra_config;
  const endpoints = ran.endpoints.map(({ extra_config: { 'auth/validator': __, ...rest }, ...endpoint }) => ({
    ...endpoint,
    extra_config: rest,
  }));
  expect(made()).toEqual({ ...ran, extra_config, endpoints });
});

test('balancers that are trusted are the only ones believed; without any nobody is', () => {
  expect(made().extra_config).toMatchObject({ router: { forwarded_by_client_ip: false } });
  expect(made({ GATEWAY_TRUSTED_PROXIES: '10.0.0.7,10.1.0.0/16' }).extra_config).toMatchObject({
    router: { forwarded_by_client_ip: true, trusted_proxies: ['10.0.0.7', '10.1.0.0/16'] },
  });
});

test('hosts, rates and issuer are those of the environment', () => {
  const text = JSON.stringify(
    made({
      GATEWAY_COMMAND_APIS: 'commands.internal:9001',
      GATEWAY_QUERY_APIS: 'queries.internal:9002',
      GATEWAY_COMMANDS_PER_SECOND_MAX: '7',
      GATEWAY_TOKEN_ISSUER: 'https://issuer.example',
    }),
  );
  expect(text).not.toMatch(/"http:\/\/(command|query)-api/);
  for (const part of [
    'http://commands.internal:9001',
    'http://queries.internal:9002',
    '"client_max_rate":7,',
  ])
    expect(text).toContain(part);
  expect(text).toContain('"issuer":"https://issuer.example"');
});

test.for(['GATEWAY_COMMAND_APIS', 'GATEWAY_QUERY_APIS'])('several hosts in %s are refused', (variable) => {
  expect(() => made({ [variable]: 'one:8080,two:8080' })).toThrow(
    `${variable}: must be one host for KrakenD`,
  );
});

test('bursts are those of nginx', () => {
  const nginx = readFileSync(join(infra, 'gateway/nginx.conf'), 'utf8');
  const burstOf = (zone: string) => Number(new RegExp(`zone=${zone} burst=(\\d+)`).exec(nginx)?.[1]);
  const capacities = new Set(
    made()
      .endpoints.map(({ extra_config }) => extra_config['qos/ratelimit/router'])
      .map(capacityOf),
  );
  expect(capacities).toEqual(new Set(['commands', 'queries', 'public'].map(burstOf)));
});

const capacityOf = (limit: object) => (limit as { client_capacity: number }).client_capacity;

test('the committed file has every route of the one that ran, with the same settings', () => {
  const committed = JSON.parse(readFileSync(join(infra, 'gateway/krakend.json'), 'utf8')) as Config;
  const here = new Map(committed.endpoints.map((one) => [`${one.method} ${one.endpoint}`, one]));
  for (const endpoint of made().endpoints) {
    const { input_headers, ...settings } = endpoint;
    const name = `${endpoint.method} ${endpoint.endpoint}`;
    expect(here.get(name), name).toMatchObject(settings);
    expect(here.get(name)?.input_headers, name).toEqual(expect.arrayContaining(input_headers));
  }
  expect(committed.extra_config).toEqual(made().extra_config);
});
