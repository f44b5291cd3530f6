import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestQueryApi, type TestQueryApi } from './queryApi.ts';

/** What the API says of itself, and what it says to browsers. */
let api: TestQueryApi;
beforeAll(async () => {
  api = await startTestQueryApi({ corsOrigins: ['https://trade.example'] });
});
afterAll(() => api.close());

type Operation = {
  summary?: string;
  tags?: string[];
  security?: unknown;
  responses?: Record<string, unknown>;
};
type Document = { openapi: string; paths: Record<string, Record<string, Operation>> };

test('every operation of the reference has a summary, a group and its answers', async () => {
  const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as Document;
  expect(document.openapi).toBe('3.1.0');
  for (const [path, operations] of Object.entries(document.paths)) {
    expect(Object.keys(operations), path).toEqual(['get']);
    const { summary, tags, responses = {} } = operations.get ?? {};
    expect({
      path,
      summary: typeof summary,
      groups: tags?.length,
      answers: '200' in responses || '101' in responses,
    }).toEqual({
      path,
      summary: 'string',
      groups: 1,
      answers: true,
    });
  }
});

test('a page of an allowed origin may read, refusals included; another one may not', async () => {
  const from = async (origin: string, path: string, method = 'GET') => {
    const { status, headers } = await fetch(`${api.url}${path}`, { method, headers: { origin } });
    return [status, headers.get('access-control-allow-origin')];
  };
  expect(await from('https://trade.example', '/v1/symbols')).toEqual([200, 'https://trade.example']);
  expect(await from('https://trade.example', '/v1/wallet')).toEqual([401, 'https://trade.example']);
  expect(await from('https://trade.example', '/v1/wallet', 'OPTIONS')).toEqual([
    204,
    'https://trade.example',
  ]);
  expect(await from('https://evil.example', '/v1/symbols')).toEqual([200, null]);
});

test('the process’s metrics count streams, waits and requests', async () => {
  await fetch(`${api.url}/v1/symbols`);
  const text = await (await fetch(`${api.url}/metrics`)).text();
  expect(text).toMatch(/^brokerx_query_streams\{.*\} 0$/m);
  expect(text).toMatch(/^brokerx_query_waiting\{.*\} 0$/m);
  expect(text).toContain('# TYPE brokerx_query_waits_total counter');
  expect(text).toContain('route="/v1/symbols"');
});
