import { accountStream, bookStream, type Fact } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { analyst, ann, CAUSE, idOf, startTestQueryApi, type TestQueryApi } from './queryApi.ts';

let api: TestQueryApi;
const deposits = (count: number, from: number): Fact[] =>
  Array.from({ length: count }, (_, i) => ({
    type: 'DepositRequested.v1',
    data: { depositId: idOf(`d${from + i}`), amountCents: from + i },
  }));
const TOTAL = 20_000;
beforeAll(async () => {
  api = await startTestQueryApi();
  for (let from = 0; from < TOTAL; from += 500) {
    await api.append(accountStream(ann.accountId), deposits(500, from));
  }
});
afterAll(() => api.close());

const linesOf = (text: string) =>
  text
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { position: number; type: string }]));

test('the whole history goes to a slow reader, one page at a time', async () => {
  const response = await api.get('/v1/events', analyst);
  expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
  expect(response.headers.get('x-brokerx-position')).toBe(api.positionToken(TOTAL));

  let text = '';
  let chunks = 0;
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    chunks += 1;
    if (chunks % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(linesOf(text).map(({ position }) => position)).toEqual(
    Array.from({ length: TOTAL }, (_, i) => i + 1),
  );
});

test('a line is the whole event', async () => {
  const response = await api.get('/v1/events?after=41&until=42', analyst);
  expect(linesOf(await response.text())).toEqual([
    {
      position: 42,
      stream: accountStream(ann.accountId),
      revision: 41,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      type: 'DepositRequested.v1',
      time: CAUSE.time,
      actor: CAUSE.actor,
      correlation_id: CAUSE.correlationId,
      causation_id: CAUSE.causationId,
      traceparent: CAUSE.traceparent,
      data: { depositId: idOf('d41'), amountCents: 41 },
    },
  ]);
});

test('filters and bounds narrow the history', async () => {
  const after = await api.append(bookStream('AAPL'), [
    { type: 'EngineStarted.v1', data: { epoch: 1, matchingRules: 1 } },
    { type: 'InputNoted.v1', data: {} },
    { type: 'MarketStateChanged.v1', data: { state: 'halt' } },
  ]);
  const types = async (query: string) =>
    linesOf(await (await api.get(`/v1/events?${query}`, analyst)).text()).map(({ type }) => type);

  expect(await types('category=book')).toEqual([
    'EngineStarted.v1',
    'InputNoted.v1',
    'MarketStateChanged.v1',
  ]);
  expect(await types('stream=book-AAPL&type=InputNoted,MarketStateChanged.v1')).toEqual([
    'InputNoted.v1',
    'MarketStateChanged.v1',
  ]);
  expect(await types(`after=${after - 2}&limit=1`)).toEqual(['InputNoted.v1']);
  expect(await types(`after=${after}`)).toEqual([]);
});

test('a reader may follow what is appended, and stops when it has what it wants', async () => {
  const head = await api.store.head();
  const following = api.get(`/v1/events?follow=true&after=${head}&limit=3`, analyst);
  await api.append(accountStream(ann.accountId), deposits(1, TOTAL));
  await api.append(accountStream(ann.accountId), deposits(2, TOTAL + 1));
  const text = await (await following).text();
  expect(linesOf(text).map(({ position }) => position)).toEqual([head + 1, head + 2, head + 3]);
});

test('readers who leave make room for others', async () => {
  for (let i = 0; i < 20; i++) {
    const aborter = new AbortController();
    const authorization = `Bearer ${await api.token(analyst)}`;
    const response = await fetch(`${api.url}/v1/events?follow=true`, {
      headers: { authorization },
      signal: aborter.signal,
    });
    expect(response.status).toBe(200);
    aborter.abort();
  }
});
