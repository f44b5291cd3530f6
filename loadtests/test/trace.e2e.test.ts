import { randomBytes } from 'node:crypto';
import { type Api, brokerApi, idSource } from '@brokerx/client';
import { mintId, type views } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Operator, operatorOf } from '../src/operator.ts';
import { type Installation, startInstallation } from '../src/own/installation.ts';
import { type Person, registerMany } from '../src/people.ts';
import { startCollector } from './collector.ts';

/** A single trace goes from a client's request through the event store to the fill, across all services. */
let collector: Awaited<ReturnType<typeof startCollector>>;
let installation: Installation;
let api: Api;
let operator: Operator;
let alice: Person;
let bob: Person;
const SYMBOL = 'TRACE';

beforeAll(async () => {
  collector = await startCollector();
  installation = await startInstallation({ env: collector.env });
  const { commandUrl, queryUrl, operatorEmail, operatorPassword } = installation.status;
  api = brokerApi({ commandUrl, queryUrl });
  operator = await operatorOf(api, operatorEmail, operatorPassword);
  [alice, bob] = (await registerMany(api, 'trace', 2)) as [Person, Person];
  await operator.list({ symbol: SYMBOL, name: 'Traced', listingCents: 5_000 });
  await operator.giveCash(alice.accountId, 100_000);
  await operator.giveShares(bob.accountId, SYMBOL, 10);
}, 120_000);

afterAll(async () => {
  await api?.close();
  await installation?.stop();
  collector?.close();
}, 60_000);

type Caller = { traceId: string; spanId: string };
const caller = (): Caller => ({
  traceId: randomBytes(16).toString('hex'),
  spanId: randomBytes(8).toString('hex'),
});
const traceparent = ({ traceId, spanId }: Caller) => `00-${traceId}-${spanId}-01`;

async function place(person: Person, side: 'buy' | 'sell', from: Caller): Promise<void> {
  const order = { symbol: SYMBOL, side, type: 'limit', qty: '10', limit_price: '50.00' };
  const reply = await api.raw('command', {
    method: 'POST',
    path: '/v1/orders',
    headers: {
      authorization: `Bearer ${await person.token()}`,
      'content-type': 'application/json',
      'idempotency-key': mintId(idSource),
      traceparent: traceparent(from),
    },
    body: JSON.stringify(order),
  });
  expect(reply.status, reply.text).toBe(202);
}

/** The types of the events that carry this trace, in the order of the store. */
async function recorded({ traceId }: Caller): Promise<string[]> {
  const types: string[] = [];
  const token = await operator.person.token();
  for await (const line of api.lines('/v1/events?category=account,book', { token })) {
    const event = JSON.parse(line) as views.RawEventView;
    if (event.traceparent.split('-')[1] === traceId) types.push(event.type);
  }
  return types;
}

/** The spans of this trace, as `service: name < parent`. */
function spansOf({ traceId, spanId }: Caller): string[] {
  const spans = collector.spans.filter((span) => span.traceId === traceId);
  const nameOf = (id: string | undefined) =>
    id === spanId ? 'the caller' : spans.find((span) => span.spanId === id)?.name;
  return spans
    .map(({ service, name, parentSpanId }) => `${service}: ${name} < ${nameOf(parentSpanId)}`)
    .sort();
}

const soon = { timeout: 100_000 };

test('request, command, match and settlement are one trace, and every event from order to fill carries it', async () => {
  const [selling, buying] = [caller(), caller()];
  await place(bob, 'sell', selling);
  await expect.poll(() => recorded(selling), soon).toEqual(['OrderPlaced.v1', 'OrderAccepted.v1']);
  await place(alice, 'buy', buying);
  await expect
    .poll(() => recorded(buying), soon)
    .toEqual(['OrderPlaced.v1', 'OrderAccepted.v1', 'TradeExecuted.v1', 'OrderFilled.v1', 'OrderFilled.v1']);

  await expect
    .poll(() => spansOf(buying), soon)
    .toEqual([
      'command-api: POST /v1/orders < the caller',
      'command-api: PlaceOrder < POST /v1/orders',
      'command-api: settle < PlaceOrder',
      'matching-engine: match < PlaceOrder',
    ]);
  const projected = () =>
    collector.spans.filter(
      ({ service, links }) =>
        service === 'projectors' && links.some(({ traceId }) => traceId === buying.traceId),
    );
  await expect.poll(() => projected().length, soon).toBeGreaterThan(0);
});

test('a query is a step in the trace of whoever asks; health is in nobody’s', async () => {
  const asking = caller();
  const headers = { traceparent: traceparent(asking) };
  const paths = [`/v1/symbols/${SYMBOL}`, '/readyz'];
  for (const path of paths) expect((await api.raw('query', { path, headers })).status).toBe(200);
  await expect.poll(() => spansOf(asking), soon).toEqual(['query-api: GET /v1/symbols/:symbol < the caller']);
});
