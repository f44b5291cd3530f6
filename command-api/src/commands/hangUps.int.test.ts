import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { errorsHeardElsewhere, mayFail } from '@brokerx/infra/runtime/mayFail.ts';
import { freePort } from '@brokerx/infra/runtime/ports.ts';
import { freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** A command-api as a process, over a real PostgreSQL, and clients that hang up: nothing of any of them is kept. */
let child: ChildProcess;
let drop: () => Promise<void>;
let port: number;
let operator: string;
let trader: string;
const OPERATOR = { email: 'operator@brokerx.test', password: 'a long password of an operator' };
const PASSWORD = 'a long password of a trader';
const TRADER = { email: 'trader@brokerx.test', password: PASSWORD };

beforeAll(async () => {
  const database = await freshDatabase();
  drop = database.drop;
  port = await freePort();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: database.url,
    BROKERX_MODE: 'development',
    BROKERX_MASTER_KEY: randomBytes(32).toString('base64'),
    AUTH_PRIVATE_JWK: JSON.stringify(privateKey.export({ format: 'jwk' })),
    OPERATOR_EMAIL: OPERATOR.email,
    OPERATOR_PASSWORD: OPERATOR.password,
    COMMAND_API_PORT: String(port),
    LOG_LEVEL: 'warn',
  };
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  while (!(await mayFail(fetch(`${base()}/readyz`), 'it has not started yet'))?.ok) await delay(50);
  operator = await signIn(OPERATOR);
  await post('/v1/symbols', operator, { symbol: 'ACME', name: 'Acme', listing_price: '10.00', fee_ppm: 0 });
  trader = await register(TRADER.email);
}, 120_000);
afterAll(async () => {
  if (child?.exitCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await drop?.();
}, 60_000);

const base = () => `http://127.0.0.1:${port}`;

async function post(path: string, token: string | null, body: object) {
  const headers = {
    'content-type': 'application/json',
    'idempotency-key': randomUUID(),
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  const reply = await fetch(base() + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = (await reply.json()) as Record<string, string>;
  expect(reply.status, JSON.stringify(answer)).toBeLessThan(300);
  return answer;
}
const signIn = async (who: typeof OPERATOR) => (await post('/v1/sessions', null, who)).access_token ?? '';

const person = (email: string) => ({
  name: 'Tess Trader',
  address: '1 Street, Town',
  birth_date: '1990-04-01',
  email,
  phone: `+1514555${String(Math.floor(Math.random() * 10_000)).padStart(4, '0')}`,
  password: PASSWORD,
});

async function register(email: string): Promise<string> {
  const { registration_id } = await post('/v1/registrations', null, person(email));
  for (;;) {
    const inbox = await (await fetch(`${base()}/dev/inbox?to=${encodeURIComponent(email)}`)).json();
    const code = /\b(\d{6})\b/.exec((inbox as { items: { text: string }[] }).items[0]?.text ?? '')?.[1];
    if (code) {
      await post(`/v1/registrations/${registration_id}/verification`, null, { code });
      return signIn({ email, password: PASSWORD });
    }
    await delay(25);
  }
}

const order = { symbol: 'ACME', side: 'buy', type: 'limit', qty: '1', limit_price: '9.99' };
const KINDS: [string, { method: string; path: string; signedIn: boolean; body?: () => object }][] = [
  [
    'sign-in',
    {
      method: 'POST',
      path: '/v1/sessions',
      signedIn: false,
      body: () => TRADER,
    },
  ],
  [
    'registration',
    {
      method: 'POST',
      path: '/v1/registrations',
      signedIn: false,
      body: () => person(`${randomUUID()}@brokerx.test`),
    },
  ],
  ['order', { method: 'POST', path: '/v1/orders', signedIn: true, body: () => order }],
  [
    'batch',
    {
      method: 'POST',
      path: '/v1/orders/batch',
      signedIn: true,
      body: () => ({ orders: [{ idempotency_key: randomUUID(), order }] }),
    },
  ],
  ['cancel', { method: 'DELETE', path: '/v1/orders?all=true', signedIn: true }],
  ['preview', { method: 'POST', path: '/v1/orders/preview', signedIn: true, body: () => order }],
  ['query', { method: 'GET', path: '/openapi.json', signedIn: false }],
];
type Kind = (typeof KINDS)[number][1];

function requestOf({ method, path, signedIn, body }: Kind): string {
  const text = body ? JSON.stringify(body()) : '';
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: a',
    `Idempotency-Key: ${randomUUID()}`,
    ...(signedIn ? [`Authorization: Bearer ${trader}`] : []),
    ...(text === '' ? [] : ['Content-Type: application/json', `Content-Length: ${text.length}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${text}`;
}

const STAGES: [string, (socket: Socket, kind: Kind) => Promise<unknown> | void][] = [
  ['connected', () => {}],
  ['half of the head sent', (socket, kind) => void socket.write(requestOf(kind).slice(0, 25))],
  ['half of the request sent', (socket, kind) => void socket.write(requestOf(kind).slice(0, -10))],
  ['whole request sent', (socket, kind) => void socket.write(requestOf(kind))],
  [
    'request being worked on',
    (socket, kind) => {
      socket.write(requestOf(kind));
      return delay(2);
    },
  ],
  [
    'reply on its way',
    (socket, kind) => {
      socket.write(requestOf(kind));
      return once(socket, 'data');
    },
  ],
  [
    'many sent ahead',
    (socket, kind) => void socket.write(Array.from({ length: 40 }, () => requestOf(kind)).join('')),
  ],
];
const ENDS = [
  (socket: Socket) => void socket.end(),
  (socket: Socket) => void socket.destroy(),
  (socket: Socket) => void socket.resetAndDestroy(),
];

test.for(KINDS)(
  '%s: however a client hangs up, its place is free again',
  { timeout: 60_000 },
  async ([, kind]) => {
    for (const [, reach] of STAGES) {
      const leaving = ENDS.map(async (leave) => {
        const socket = errorsHeardElsewhere(connect(port, '127.0.0.1'));
        await once(socket, 'connect');
        await reach(socket, kind);
        leave(socket);
        socket.resume();
      });
      await Promise.all(leaving);
    }
    await expect.poll(gauges).toEqual({ requests_in_flight: 0, request_bytes_in_flight: 0 });
    // Where the machine is behind, the service says so until it is not.
    await expect.poll(async () => (await fetch(`${base()}/readyz`)).status).toBe(200);
    expect(await signIn(TRADER)).not.toBe('');
  },
);

async function gauges(): Promise<Record<string, number>> {
  const text = await (await fetch(`${base()}/metrics`)).text();
  const found = text.matchAll(/^brokerx_(requests_in_flight|request_bytes_in_flight)\{.*\} (\S+)$/gm);
  return Object.fromEntries(Array.from(found, ([, name = '', value]) => [name, Number(value)]));
}

test('sixty who register at once from one address do not keep others from signing in', async () => {
  const sockets = Array.from({ length: 60 }, () => {
    const socket = errorsHeardElsewhere(connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }));
    socket.resume();
    socket.write(requestOf(KINDS[1]?.[1] as Kind));
    return socket;
  });
  const signedIn = await Promise.all(Array.from({ length: 11 }, () => signIn(TRADER)));
  expect(signedIn.every((token) => token !== '')).toBe(true);
  for (const socket of sockets) socket.destroy();
  await expect.poll(gauges).toMatchObject({ requests_in_flight: 0 });
}, 60_000);
