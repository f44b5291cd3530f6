import { afterEach, expect, test } from 'vitest';
import { ApiError } from '../src/api.ts';
import { positions } from '../src/readYourWrites.ts';
import { openSession, type Session } from '../src/session.ts';
import { type Asked, scriptedServer } from './scriptedServer.ts';

let server: Awaited<ReturnType<typeof scriptedServer>>;
let session: Session | undefined;
afterEach(async () => {
  session?.close();
  await server.close();
});

/** Whose WebSocket it is. */
const api = () => ({ queryUrl: server.url, positions: positions() });
const depth = { channel: 'depth', symbol: 'XEQT' } as const;
const subscribed = ({ params }: Asked, sequence: number) => ({
  result: { subscriptions: (params['subscriptions'] as object[]).map((each) => ({ ...each, sequence })) },
});
const signedIn = { result: { expires_at: new Date(Date.now() + 900_000).toISOString() } };
const data = (sequence: number) => ({ type: 'data', ...depth, sequence, data: { U: sequence, u: sequence } });
const order = { symbol: 'XEQT', side: 'buy', type: 'limit', qty: '1', limit_price: '1.00' } as const;

test('a lost connection is opened again, and a channel goes on behind its last message', async () => {
  server = await scriptedServer((asked) => subscribed(asked, 4));
  session = openSession({ api: api() });
  const heard: unknown[] = [];
  session.subscribe(depth, {
    data: ({ u }) => heard.push(u),
    subscribed: (sequence, resumed) => heard.push(`at ${sequence}${resumed ? ', resumed' : ''}`),
  });
  await server.until(() => server.asked.length === 1);
  server.say(data(5));
  server.say({ ...data(6) });
  await expect.poll(() => heard.length).toBe(3);
  server.sockets[0]?.terminate();
  await server.until(() => server.asked.length === 2);
  // Given again what it has already: a message that covers a range may reach back.
  server.say(data(6));
  server.say(data(7));
  await expect.poll(() => heard.length).toBe(5);
  expect(heard).toEqual(['at 4', 5, 6, 'at 4, resumed', 7]);
  expect(server.asked.map(({ params }) => params['subscriptions'])).toEqual([
    [depth],
    [{ ...depth, after: 6 }],
  ]);
  expect(session.stats()).toEqual({ opened: 2, lost: 1 });
});

test('where the server does not know the sequence, the channel begins anew', async () => {
  server = await scriptedServer((asked) => subscribed(asked, 4));
  session = openSession({ api: api() });
  const heard: unknown[] = [];
  session.subscribe(depth, { data: ({ u }) => heard.push(u), missed: (reason) => heard.push(reason) });
  await server.until(() => server.asked.length === 1);
  server.say(data(900));
  server.say({ type: 'resync', ...depth, reason: 'unknown_sequence', sequence: 900 });
  server.say(data(5));
  await expect.poll(() => heard.length).toBe(3);
  expect(heard).toEqual([900, 'unknown_sequence', 5]);
});

test('a command whose answer was lost is sent again with the same key, after signing in again', async () => {
  let orders = 0;
  server = await scriptedServer((asked, socket) => {
    if (asked.method === 'authenticate') return signedIn;
    orders += 1;
    if (orders > 1) return { status: 202, result: { id: 'an order' }, position: 'store:7', replayed: true };
    socket.terminate();
    return null;
  });
  session = openSession({ api: api(), token: async () => 'a token' });
  expect(await session.place(order)).toEqual({
    kind: 'ok',
    status: 202,
    body: { id: 'an order' },
    position: 'store:7',
    replayed: true,
    attempts: 2,
  });
  expect(server.asked.map(({ method }) => method)).toEqual([
    'authenticate',
    'place_order',
    'authenticate',
    'place_order',
  ]);
  expect(server.asked[3]?.params).toEqual(server.asked[1]?.params);
});

test('a refusal is the answer; what may be answered otherwise later is asked again', async () => {
  const codes = ['OVERLOADED', 'REQUEST_IN_FLIGHT', 'PRICE_TICK'];
  const statuses = [503, 409, 422];
  server = await scriptedServer(() => {
    const [code, status] = [codes.shift(), statuses.shift()];
    return { status, error: { code, status, retryable: status !== 422 } };
  });
  session = openSession({ api: api() });
  expect(await session.cancel('an order')).toEqual({
    kind: 'refused',
    status: 422,
    code: 'PRICE_TICK',
    body: { code: 'PRICE_TICK', status: 422, retryable: false },
    attempts: 3,
  });
});

test('what nobody answers is unknown once the patience is over', async () => {
  server = await scriptedServer(() => ({ status: 503, error: { code: 'UNAVAILABLE', status: 503 } }));
  session = openSession({ api: api(), patienceMs: 200 });
  expect(await session.cancelAll()).toMatchObject({ kind: 'unknown', error: '503 UNAVAILABLE' });
});

test('a channel that cannot be given is refused; one that is unavailable for a moment is asked for again', async () => {
  const codes = ['READ_MODEL_BEHIND', 'UNKNOWN_SYMBOL'];
  const statuses = [503, 404];
  server = await scriptedServer(() => ({ error: { code: codes.shift(), status: statuses.shift() } }));
  session = openSession({ api: api() });
  const code = await new Promise((refused) => session?.subscribe(depth, { data: () => undefined, refused }));
  expect([code, server.asked.length]).toEqual(['UNKNOWN_SYMBOL', 2]);
});

test('a refused token is told at once to everybody who needs it, and is not tried over and over', async () => {
  const problem = {
    status: 401,
    code: 'UNAUTHENTICATED',
    detail: 'The token is not valid.',
    retryable: false,
  };
  let token = 'a bad token';
  server = await scriptedServer((asked) => {
    const { method, params } = asked;
    if (method === 'authenticate') return params['token'] === 'a good token' ? signedIn : { error: problem };
    if (method === 'place_order') return { status: 202, result: { id: 'an order' } };
    const [subject] = params['subscriptions'] as { channel: string }[];
    return subject?.channel === 'orders' ? { error: problem } : subscribed(asked, 4);
  });
  session = openSession({ api: api(), token: async () => token });
  const heard: unknown[] = [];
  session.subscribe({ channel: 'orders' }, { data: () => {}, refused: (code) => heard.push(code) });
  session.subscribe(depth, { data: () => {}, subscribed: (sequence) => heard.push(sequence) });
  const refused = { kind: 'refused', status: 401, code: 'UNAUTHENTICATED', body: problem, attempts: 1 };
  expect(await session.place(order)).toEqual(refused);
  expect(await session.place(order)).toEqual(refused);
  await expect.poll(() => heard).toEqual(['UNAUTHENTICATED', 4]);
  expect(server.asked.map(({ method }) => method)).toEqual(['authenticate', 'subscribe', 'subscribe']);
  expect(session.stats()).toEqual({ opened: 1, lost: 0 });
  token = 'a good token';
  expect(await session.place(order)).toMatchObject({ kind: 'ok', status: 202 });
});

test('who is not given a token, because the sign-in was refused, is told so at once', async () => {
  server = await scriptedServer((asked) => subscribed(asked, 4));
  const token = () => Promise.reject(new ApiError('signing in', 401, 'INVALID_CREDENTIALS', 'no'));
  session = openSession({ api: api(), token });
  expect(await session.place(order)).toMatchObject({
    kind: 'refused',
    status: 401,
    code: 'INVALID_CREDENTIALS',
  });
  expect(server.asked).toEqual([]);
});
