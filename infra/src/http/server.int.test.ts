import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { CONNECTION_BOUNDS, type ConnectionBounds } from '../runtime/connectionBounds.ts';
import { createLog } from '../runtime/log.ts';
import { errorsHeardElsewhere } from '../runtime/mayFail.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { IN_WORK_PER_CONNECTION_MAX } from './connection.ts';
import { buildHttp, type Http } from './http.ts';
import { Problem } from './problem.ts';
import { readyReply } from './readyReply.ts';

/** The server under clients that keep to no rule: real sockets, each closed when and as the test says. */
let app: Http;
let port: number;
const newGate = () => ({ entered: 0, left: 0, answered: 0, refuses: false, addresses: [] as string[] });
let gate = newGate();
/** Requests that are being worked on, and their common end. */
const working = { now: 0, most: 0, ips: [] as string[] };
let goOn: () => void;

async function start(bounds: Partial<ConnectionBounds> = {}, trustedProxies: string[] = []): Promise<void> {
  const own = newGate();
  gate = own;
  Object.assign(working, { now: 0, most: 0, ips: [] });
  const { promise: held, resolve } = Promise.withResolvers<void>();
  goOn = resolve;
  const refusal = readyReply(new Problem({ status: 503, code: 'OVERLOADED', title: 'Too much.' }));
  app = await buildHttp({
    title: 'Test API',
    version: '1',
    log: createLog({ name: 'test', level: 'silent' }),
    metrics: createMetrics('test', '1'),
    ready: async () => ({}),
    trustedProxies,
    bounds: { ...CONNECTION_BOUNDS, ...bounds },
    gate(request, address) {
      if (request.url === '/livez') return { left: null };
      own.addresses.push(address);
      if (own.refuses) return refusal;
      own.entered += 1;
      return {
        left(answered) {
          own.left += 1;
          if (answered) own.answered += 1;
        },
      };
    },
    authenticate: () => {
      throw new Error('nobody is asked for a token');
    },
  });
  const anybody = { auth: 'public' } as const;
  const reply = { response: { 200: z.object({ text: z.string() }) } };
  app.get('/held', { config: anybody, schema: reply }, async (request) => {
    working.now += 1;
    working.most = Math.max(working.most, working.now);
    await held;
    working.now -= 1;
    working.ips.push(request.ip);
    return { text: request.url };
  });
  app.get('/large', { config: anybody, schema: reply }, () => ({ text: 'x'.repeat(LARGE_REPLY) }));
  app.post('/taken', { config: anybody, schema: { ...reply, body: z.object({ a: z.string() }) } }, () => ({
    text: 'taken',
  }));
  port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port);
}
afterEach(async () => {
  goOn();
  await app.close();
});
/** Beyond what the sockets of both sides hold. */
const LARGE_REPLY = 16 * 1024 * 1024;

async function open(localAddress = '127.0.0.1'): Promise<Socket & { received(): string }> {
  const socket = errorsHeardElsewhere(connect({ host: '127.0.0.1', port, localAddress }));
  let received = '';
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return Object.assign(socket, {
    received() {
      for (let more = socket.read(); more !== null; more = socket.read()) received += String(more);
      return received;
    },
  });
}
/** Waits for a condition on a machine that others use, too. */
const eventually = <T>(look: () => T | Promise<T>) => expect.poll(look);
const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
const post = (body: string, length = body.length) =>
  `POST /taken HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`;
const metric = async (name: string) => {
  const { body } = await app.inject('/metrics');
  return body.split('\n').filter((line) => line.startsWith(name));
};
const openNow = async () => Number((await metric('brokerx_http_connections'))[0]?.split(' ')[1]);

const STAGES: [string, (socket: Socket) => Promise<void>][] = [
  ['connected', async () => {}],
  ['half of the head sent', async (socket) => void socket.write('POST /taken HTTP/1.1\r\nHos')],
  [
    'half of the body sent',
    async (socket) => {
      socket.write(post('{"a":', 9));
      await eventually(() => gate.entered).toBe(1);
    },
  ],
  ['whole request sent', async (socket) => void socket.write(post('{"a":"b"}'))],
  [
    'request being worked on',
    async (socket) => {
      socket.write(get('/held'));
      await eventually(() => working.now).toBe(1);
    },
  ],
  [
    'several sent ahead',
    async (socket) => {
      socket.write(get('/held').repeat(IN_WORK_PER_CONNECTION_MAX * 3));
      await eventually(() => working.now).toBe(IN_WORK_PER_CONNECTION_MAX);
    },
  ],
  [
    'several sent ahead, the last one in part',
    async (socket) => {
      socket.write(get('/held').repeat(3) + post('{"a":', 9));
      await eventually(() => gate.entered).toBe(4);
    },
  ],
  [
    'reply being written',
    async (socket) => {
      socket.write(get('/large'));
      await eventually(() => socket.readableLength).toBeGreaterThan(0);
    },
  ],
];
const ENDS: [string, (socket: Socket) => void][] = [
  ['closes', (socket) => socket.end()],
  ['is gone', (socket) => socket.destroy()],
  ['resets', (socket) => socket.resetAndDestroy()],
];
const hangUps = STAGES.flatMap(([stage, reach]) =>
  ENDS.map(([end, leave]) => ({ stage, end, reach, leave })),
);
test.for(hangUps)('$stage, the client $end: nothing of it is kept', async ({ stage, reach, leave }) => {
  await start();
  const socket = await open();
  await eventually(openNow).toBe(1);
  await reach(socket);
  leave(socket);
  // Reads and ignores what still arrives, like a client that only waits for the end.
  socket.resume();
  // A connection that is not read tells of its end as soon as one of its requests is over: each has a time of its own.
  if (stage.startsWith('several')) goOn();
  await eventually(openNow).toBe(0);
  expect(gate.left).toBe(gate.entered);
});

test('of one connection a few requests are worked on at once, the rest is not read, and all are answered in order', async () => {
  await start();
  const socket = await open();
  const SENT = 4_000;
  const size = 1_024;
  for (let n = 0; n < SENT; n++) socket.write(get(`/held?n=${n}`, `X-Fill: ${'x'.repeat(size)}\r\n`));
  await eventually(() => working.now).toBe(IN_WORK_PER_CONNECTION_MAX);
  // Another connection is served meanwhile.
  const other = await open();
  other.write(get('/livez'));
  await eventually(() => other.received()).toContain('200 OK');
  expect(gate.entered).toBe(IN_WORK_PER_CONNECTION_MAX);
  expect(socket.bytesWritten - socket.writableLength).toBeGreaterThan(0);
  goOn();
  await eventually(() => [...socket.received().matchAll(/"text":"\/held\?n=(\d+)"/g)].length).toBe(SENT);
  const order = [...socket.received().matchAll(/"text":"\/held\?n=(\d+)"/g)].map(([, n]) => Number(n));
  expect(order).toEqual(Array.from({ length: SENT }, (_, n) => n));
  expect(working.most).toBe(IN_WORK_PER_CONNECTION_MAX);
  expect([gate.entered, gate.left, gate.answered]).toEqual([SENT, SENT, SENT]);
});

test('of a flood of the smallest requests no more are made than are worked on, and all are answered', async () => {
  await start();
  const socket = await open();
  const SENT = 5_000;
  // Heads that were read, whether or not they are begun.
  let parsed = 0;
  app.server.on('request', () => {
    parsed += 1;
  });
  socket.write(get('/held').repeat(SENT));
  await eventually(() => working.now).toBe(IN_WORK_PER_CONNECTION_MAX);
  const other = await open();
  other.write(get('/livez'));
  await eventually(() => other.received()).toContain('200 OK');
  expect(parsed).toBeLessThan(SENT / 20);
  goOn();
  await eventually(() => socket.received().match(/HTTP\/1.1 200 /g)?.length).toBe(SENT);
  expect([gate.entered, gate.left, gate.answered]).toEqual([SENT, SENT, SENT]);
});

test('who takes no replies is read no further, and gets all of them as soon as they are taken', async () => {
  await start();
  const socket = await open();
  const SENT = 40;
  socket.write(get('/large').repeat(SENT / 2));
  await eventually(() => socket.readableLength).toBeGreaterThan(0);
  socket.write(get('/large').repeat(SENT / 2));
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await eventually(() => gate.answered).toBe(SENT);
  await eventually(() => bytes).toBeGreaterThan(SENT * LARGE_REPLY);
});

test('who is refused hears it at once, without a look at token and body, and may go on', async () => {
  await start();
  gate.refuses = true;
  const socket = await open();
  socket.write(post('{"a":', 9));
  await eventually(() => socket.received()).toMatch(/^HTTP\/1.1 503 .*"code":"OVERLOADED"/s);
  gate.refuses = false;
  socket.write(`"b"}${post('{"a":"b"}')}`);
  await eventually(() => socket.received()).toMatch(/HTTP\/1.1 200 .*"text":"taken"/s);
});

test('one address has so many connections and no more; another one is let in', async () => {
  await start({ perAddressMax: 3 });
  const first = await Promise.all([open(), open(), open()]);
  await eventually(openNow).toBe(3);
  const refused = await open();
  await eventually(() => refused.received()).toMatch(
    /^HTTP\/1.1 429 .*too many connections.*"code":"REQUEST_LIMIT"/s,
  );
  const other = await open('127.0.0.2');
  other.write(get('/livez'));
  await eventually(() => other.received()).toContain('200 OK');
  first[0]?.destroy();
  await eventually(openNow).toBe(3);
  const again = await open();
  again.write(get('/livez'));
  await eventually(() => again.received()).toContain('200 OK');
});

test('of the unfinished requests of one address the oldest beyond its bound are cut off, and nobody else', async () => {
  await start({ halfSentPerAddressMax: 2 });
  const half: Socket[] = [];
  for (const text of ['', 'POST /tak', post('{"a":', 9), post('{"a":"', 9)]) {
    const socket = await open();
    socket.write(text);
    socket.resume();
    half.push(socket);
  }
  const idle = await open();
  idle.write(post('{"a":"b"}'));
  await eventually(() => idle.received()).toContain('200 OK');
  const other = await open('127.0.0.2');
  other.write('POST /tak');
  await eventually(() => half.map(({ closed }) => closed)).toEqual([true, true, false, false]);
  expect([idle.closed, other.closed]).toEqual([false, false]);
});

test('a body that drips in is cut off at its time, however its client goes on', async () => {
  await start({ requestTimeoutMs: 1_500 });
  const socket = await open();
  socket.write(post('{"a":"', 60_000));
  const drip = setInterval(() => socket.write('x'), 50);
  onTestFinished(() => clearInterval(drip));
  await eventually(() => socket.received()).toMatch(/^HTTP\/1.1 408 .*"code":"REQUEST_TIMEOUT"/s);
  await eventually(openNow).toBe(0);
  expect(gate.left).toBe(gate.entered);
});

test('what is late because its connection was not read is not cut off for it', async () => {
  await start({ requestTimeoutMs: 1_500 });
  const socket = await open();
  const ahead = IN_WORK_PER_CONNECTION_MAX + 1;
  socket.write(get('/held').repeat(ahead) + post('{"a":', 9));
  await eventually(() => working.now).toBe(IN_WORK_PER_CONNECTION_MAX);
  // Another one that is read has its time, and is cut off at the end of it.
  const late = await open();
  late.write(post('{"a":', 9));
  await eventually(() => late.received()).toMatch(/^HTTP\/1.1 408 /);
  socket.write('"b"}');
  goOn();
  await eventually(() => socket.received().match(/HTTP\/1.1 200 /g)?.length).toBe(ahead + 1);
  // From then on its time counts again.
  socket.write(post('{"a":', 9));
  await eventually(() => socket.received()).toMatch(/HTTP\/1.1 408 /);
});

test('where a client was is known after it has gone', async () => {
  await start();
  const socket = await open('127.0.0.3');
  socket.write(get('/held'));
  await eventually(() => working.now).toBe(1);
  socket.resetAndDestroy();
  await eventually(openNow).toBe(0);
  goOn();
  await eventually(() => working.ips).toEqual(['127.0.0.3']);
});

test('behind a trusted proxy the client that it tells of is counted, and the proxy has as many connections as it needs', async () => {
  await start({ perAddressMax: 1 }, ['127.0.0.1']);
  const told = await Promise.all([open(), open(), open()]);
  for (const [index, socket] of told.entries()) {
    socket.write(get('/large', `X-Forwarded-For: 203.0.113.${index}, 198.51.100.${index}\r\n`));
  }
  await eventually(() => gate.addresses.toSorted()).toEqual(['198.51.100.0', '198.51.100.1', '198.51.100.2']);
  const direct = await open('127.0.0.4');
  direct.write(get('/large', 'X-Forwarded-For: 203.0.113.9\r\n'));
  await eventually(() => gate.addresses.at(-1)).toBe('127.0.0.4');
});

test.for<[what: string, head: string, status: number, code: string]>([
  ['no Host', 'GET /livez HTTP/1.1\r\n', 400, 'BAD_REQUEST'],
  ['two Hosts', 'GET /livez HTTP/1.1\r\nHost: a\r\nhost: b\r\n', 400, 'BAD_REQUEST'],
  ['the same Host twice', 'GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n', 400, 'BAD_REQUEST'],
  [
    'an expectation that nobody knows',
    'GET /livez HTTP/1.1\r\nHost: a\r\nExpect: banana\r\n',
    417,
    'EXPECTATION_FAILED',
  ],
  [
    'a header without end',
    `GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n`,
    431,
    'HEADERS_TOO_LARGE',
  ],
  ['what is no HTTP', 'HELO\r\n', 400, 'BAD_REQUEST'],
])('a head with %s is answered by a problem', async ([, head, status, code]) => {
  await start();
  const socket = await open();
  socket.write(`${head}\r\n`);
  await eventually(() => socket.received()).toContain(`"code":"${code}"`);
  expect(socket.received()).toMatch(
    new RegExp(`^HTTP/1.1 ${status} .*content-type: application/problem\\+json`, 'is'),
  );
});

test('an older client needs no Host, and what is expected rightly is done', async () => {
  await start();
  const old = await open();
  old.write('GET /livez HTTP/1.0\r\n\r\n');
  await eventually(() => old.received()).toMatch(/^HTTP\/1.1 200 /);
  const socket = await open();
  socket.write(post('{"a":"b"}').replace('Host: a', 'Host: a\r\nExpect: 100-continue'));
  await eventually(() => socket.received()).toMatch(/^HTTP\/1.1 100 .*HTTP\/1.1 200 .*"text":"taken"/s);
});

test('whoever asks for an upgrade that is not given has the same times as everybody', async () => {
  await start({ requestTimeoutMs: 1_500 });
  // Somebody takes upgrades, though not this one.
  app.server.on('upgrade', ({ socket }) => socket.resume());
  const socket = await open();
  socket.write(get('/livez', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'));
  await eventually(() => socket.received()).toMatch(/^HTTP\/1.1 200 /);
  expect(await openNow()).toBe(1);
  socket.write(post('{"a":', 9));
  await eventually(() => socket.received()).toMatch(/HTTP\/1.1 408 /);
  await eventually(openNow).toBe(0);
});
