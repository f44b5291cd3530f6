import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startGenerators } from '../../src/load/generator/generators.ts';
import type { LoadPlan } from '../../src/load/generator/protocol.ts';
import { collector } from '../../src/load/run/collector.ts';
import { Scenario } from '../../src/load/scenarios/scenario.ts';

/** A real generator process against a server that answers as the test wants. */
const SECONDS = 1;
const RATE = 50;
const ORDER = '{"id":"01900000-0000-7000-8000-000000000000"}';

type Seen = { atMs: number; url: string; authorization: string };
let seen: Seen[];
let answer: (reply: ServerResponse, request: Seen) => void;
let url: string;
let folder: string;
let close: () => void;

beforeEach(async () => {
  seen = [];
  folder = mkdtempSync(join(tmpdir(), 'brokerx-generator-'));
  const server = createServer((request, reply) => {
    const { url: path = '', headers } = request;
    const one = { atMs: performance.now(), url: path, authorization: headers.authorization ?? '' };
    seen.push(one);
    request.resume().once('end', () => answer(reply, one));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () => {
    server.closeAllConnections();
    server.close();
  };
});
afterEach(() => {
  close();
  rmSync(folder, { recursive: true });
});

async function run(changed: Partial<LoadPlan> = {}, seconds = SECONDS) {
  const scenario = Scenario.parse({
    name: 'test',
    says: 'a test',
    drive: { by: 'rate', rate: RATE, mix: { place: 1 } },
    seconds,
    warmUpSeconds: 0,
    users: 2,
  });
  const users = [0, 1].map((user) => ({
    email: `${user}@example.com`,
    password: 'secret',
    accountId: `account-${user}`,
    token: 'first',
    expiresMs: Date.now() + 3_600_000,
  }));
  const plan: LoadPlan = {
    kind: 'load',
    scenario,
    seed: 1,
    commandUrls: [url],
    queryUrls: [url],
    symbols: ['LOAD1'],
    users,
    index: 0,
    of: 1,
    connectionsMax: 100,
    intervalMs: 200,
    journalFile: join(folder, 'journal.jsonl'),
    ...changed,
  };
  const collected = collector({ generators: 1, intervalMs: 200, onPoint: () => undefined });
  const generators = await startGenerators([plan], collected);
  const { beginMs, wasOver } = { beginMs: Date.now() + 100, wasOver: generators.ended };
  generators.begin(beginMs);
  const ended = await wasOver;
  collected.finish();
  return { totals: collected.totals(), ended };
}

test('what is due is sent whatever the replies do, and a stall counts for all that it held up', async () => {
  const held: ServerResponse[] = [];
  // Nothing is answered until everything is there.
  answer = (reply) => {
    held.push(reply);
    if (held.length === RATE * SECONDS) for (const each of held) each.writeHead(202).end(ORDER);
  };
  const { totals } = await run();
  expect(seen).toHaveLength(RATE * SECONDS);
  expect(totals.actions.place).toMatchObject({ sent: 50, ok: 50, unknown: 0, unsent: 0 });
  // The first waited for the last, which is due 980 ms after it; the second for 20 ms less, and so on.
  expect(totals.orders.max).toBeGreaterThanOrEqual(975);
  expect(totals.orders.p50).toBeGreaterThanOrEqual(475);
  const entries = readFileSync(join(folder, 'journal.jsonl'), 'utf8').trimEnd().split('\n');
  expect(entries).toHaveLength(50);
  expect(JSON.parse(entries[0] as string)).toMatchObject({
    kind: 'place',
    outcome: 'ok',
    subjectId: '01900000-0000-7000-8000-000000000000',
  });
});

test('where connections are bounded the others wait, and are late', async () => {
  let open = 0;
  let openMax = 0;
  answer = (reply) => {
    openMax = Math.max(openMax, ++open);
    setTimeout(() => {
      open -= 1;
      reply.writeHead(202).end(ORDER);
    }, 50);
  };
  const { totals } = await run({ connectionsMax: 1 });
  expect(openMax).toBe(1);
  expect(totals.actions.place).toMatchObject({ sent: 50, ok: 50 });
  // 50 orders of 50 ms each, one after the other, of which the last was due after 980 ms.
  expect(totals.orders.max).toBeGreaterThanOrEqual(1_400);
});

test('refusals, broken connections and replies are told apart', async () => {
  let n = 0;
  answer = (reply) => {
    n += 1;
    if (n % 5 === 0) reply.destroy();
    else if (n % 5 === 1) reply.writeHead(503).end('{"code":"OVERLOADED"}');
    else if (n % 5 === 2) reply.writeHead(422).end('{"code":"INSUFFICIENT_FUNDS"}');
    else reply.writeHead(202).end(ORDER);
  };
  const { totals } = await run();
  expect(totals.actions.place).toMatchObject({
    sent: 50,
    ok: 20,
    unknown: 10,
    refused: { '503 OVERLOADED': 10, '422 INSUFFICIENT_FUNDS': 10 },
  });
  const lines = readFileSync(join(folder, 'journal.jsonl'), 'utf8').trimEnd().split('\n');
  const outcomes = lines.map((line) => (JSON.parse(line) as { outcome: string }).outcome);
  expect(outcomes.filter((outcome) => outcome === 'unknown')).toHaveLength(20);
  expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(10);
});

test('tokens are renewed before they expire', async () => {
  answer = (reply, request) => {
    if (request.url === '/v1/sessions') {
      const session = { access_token: 'second', expires_in: 3_600 };
      reply.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(session));
    } else reply.writeHead(202).end(ORDER);
  };
  const soon = { email: 'a@example.com', password: 'secret', accountId: 'a', token: 'first' };
  const users = [{ ...soon, expiresMs: Date.now() + 500 }];
  const { ended } = await run({ users }, 2);
  expect(ended).toMatchObject({ renewals: 1, renewalsFailed: 0 });
  const orders = seen.filter(({ url: path }) => path === '/v1/orders').map((one) => one.authorization);
  expect(orders.at(-1)).toBe('Bearer second');
});
