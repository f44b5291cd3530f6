import { afterAll, beforeAll, expect, test } from 'vitest';
import { analyst, idOf, operator, startTestQueryApi, type TestQueryApi } from './queryApi.ts';

let api: TestQueryApi;
beforeAll(async () => {
  api = await startTestQueryApi();
});
afterAll(() => api.close());

test('what projections are without is listed for operators and analysts, page by page', async () => {
  const empty = await api.get('/v1/parked-events', operator);
  expect([empty.status, await empty.json()]).toEqual([200, { items: [], next: null }]);

  const places = [
    [7, 'orders'],
    [3, 'symbols'],
    [7, 'executions'],
    [9, 'orders'],
    [8, 'orders'],
  ] as const;
  await api.insert(
    'read.parked',
    places.map(([position, projection]) => ({
      projection,
      version: 1,
      position,
      event_id: idOf(`${projection} ${position}`),
      error: 'error: out of range',
    })),
  );
  const seen: unknown[] = [];
  for (let next: string | null = ''; next !== null; ) {
    const reply = await api.get(`/v1/parked-events?limit=2${next && `&page_token=${next}`}`, analyst);
    const page = (await reply.json()) as {
      items: { position: number; projection: string }[];
      next: string | null;
    };
    expect(page.items.length).toBeLessThanOrEqual(2);
    seen.push(...page.items.map(({ position, projection }) => [position, projection]));
    next = page.next;
  }
  expect(seen).toEqual([
    [3, 'symbols'],
    [7, 'executions'],
    [7, 'orders'],
    [8, 'orders'],
    [9, 'orders'],
  ]);
});
