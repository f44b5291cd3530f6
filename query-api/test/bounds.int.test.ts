import { accountStream, bookStream } from '@brokerx/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEventSource } from './eventSource.ts';
import { list, rests } from './market.ts';
import { ann, bob, type Person, startTestQueryApi, type TestQueryApi } from './queryApi.ts';
import { HANDSHAKE, rawSocket, textFrame } from './rawSocket.ts';

/** Neither one address nor one account takes what all share. Behind a proxy that is believed, addresses are the clients'. */
let api: TestQueryApi;
const bounds = { max: 5, perAddressMax: 3, perAccountMax: 2 };
beforeAll(async () => {
  api = await startTestQueryApi({
    trustedProxies: ['127.0.0.1'],
    queryBounds: { waiters: bounds, streams: bounds, webSockets: bounds },
  });
  await list(api, 'XEQT');
  for (const { accountId, clientId } of [ann, bob]) {
    await api.append(accountStream(accountId), [{ type: 'AccountOpened.v1', data: { accountId, clientId } }]);
  }
  const position = await api.append(bookStream('XEQT'), [rests('o1', 'buy', 2_990, 10)]);
  await api.marketData(position, {
    'depth:XEQT': { symbol: 'XEQT', sequence: 0, bids: [], asks: [] },
    'ticker:XEQT': {},
  });
});
afterAll(() => api.close());

const from = (address: string | null): Record<string, string> =>
  address === null ? {} : { 'x-forwarded-for': address };
const gauge = async (name: string): Promise<number> => {
  const text = await (await fetch(`${api.url}/metrics`)).text();
  return Number(new RegExp(`^brokerx_query_${name}\\{.*\\} (\\d+)$`, 'm').exec(text)?.[1]);
};
const codeOf = async (reply: Response) => {
  const { code, retryable } = (await reply.json()) as { code: string; retryable: boolean };
  return [reply.status, code, retryable, reply.headers.get('retry-after')];
};

/** Three of an address, from whichever of its own addresses, and no more; and others have theirs. */
test.for<[what: string, own: (string | null)[], others: (string | null)[]]>([
  ['an IPv4 address', ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1'], ['192.0.2.2', '198.51.100.1']],
  [
    'an IPv6 /64',
    ['2001:db8::1', '2001:db8::2', '2001:DB8:0:0:9::1', '2001:db8:0:0:ffff::'],
    ['2001:db8:0:1::1', '2001:db8:0:2::1'],
  ],
  ['the loopback', [null, null, '127.0.0.1', null], ['192.0.2.2', '::1']],
])('queries that wait: %s takes its share, and those of others wait with them', async ([, own, others]) => {
  const head = await api.append(bookStream('XEQT'), [rests('more', 'buy', 2_980, 1)]);
  const ask = (address: string | null) =>
    api.get(`/v1/symbols?min_position=${api.positionToken(head)}`, undefined, from(address));
  const last = own.at(-1) ?? null;
  const waiting = own.slice(0, -1).map(ask);
  await expect.poll(() => gauge('waiting')).toBe(3);
  expect(await codeOf(await ask(last))).toEqual([429, 'REQUEST_LIMIT', true, '1']);
  waiting.push(...others.map(ask));
  await expect.poll(() => gauge('waiting')).toBe(5);
  expect(await codeOf(await ask('203.0.113.9'))).toEqual([503, 'OVERLOADED', true, '1']);
  await api.project('symbols', head);
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  expect(await gauge('waiting')).toBe(0);
});

test('queries that wait: an account has its share from wherever it asks', async () => {
  const head = await api.append(bookStream('XEQT'), [rests('more', 'buy', 2_980, 1)]);
  const ask = (address: string, by: Person) =>
    api.get(`/v1/wallet?min_position=${api.positionToken(head)}`, by, from(address));
  const waiting = [ask('192.0.2.1', ann), ask('192.0.2.2', ann)];
  await expect.poll(() => gauge('waiting')).toBe(2);
  expect(await codeOf(await ask('192.0.2.3', ann))).toEqual([429, 'REQUEST_LIMIT', true, '1']);
  waiting.push(ask('192.0.2.3', bob));
  await expect.poll(() => gauge('waiting')).toBe(3);
  await api.project('wallets', head);
  await Promise.all(waiting);
});

test('event streams: each address and each account has its share, and what ends makes room', async () => {
  const open = async (path: string, address: string, by?: Person) => {
    const token = by && { authorization: `Bearer ${await api.token(by)}` };
    return openEventSource(`${api.url}${path}`, { ...token, ...from(address) });
  };
  const ofOrders = (address: string, by: Person) => open('/v1/streams/orders', address, by);
  const ofMarket = (address: string) => open('/v1/streams/symbols/XEQT', address);
  const sources = [await ofOrders('192.0.2.1', ann), await ofOrders('192.0.2.2', ann)];
  expect((await ofOrders('192.0.2.3', ann)).response.status).toBe(429);
  sources.push(await ofMarket('192.0.2.1'), await ofMarket('192.0.2.1'));
  const full = await ofMarket('192.0.2.1');
  expect(full.response.status).toBe(429);
  sources.push(await ofOrders('192.0.2.2', bob));
  expect(sources.map(({ response }) => response.status)).toEqual([200, 200, 200, 200, 200]);
  expect((await ofMarket('192.0.2.7')).response.status).toBe(503);
  for (const source of sources) await source.close();
  await expect.poll(() => gauge('streams')).toBe(0);
  const again = await ofMarket('192.0.2.1');
  expect(again.response.status).toBe(200);
  await again.close();
});

test('WebSockets: each address has its share, and as many may sign in to an account as it may have', async () => {
  const open = async (address: string) => {
    const client = await rawSocket(api.url);
    await client.send(HANDSHAKE.replace('\r\n\r\n', `\r\nx-forwarded-for: ${address}\r\n\r\n`));
    await client.until(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\n/);
    return client;
  };
  const signIn = async (client: Awaited<ReturnType<typeof open>>, by: Person) => {
    await client.send(
      textFrame(JSON.stringify({ id: 1, method: 'authenticate', params: { token: await api.token(by) } })),
    );
    await client.until(/"id":1,/);
    return /"id":1,"(result|error)"/.exec(client.heard())?.[1];
  };
  const [first, second, third] = [await open('192.0.2.1'), await open('192.0.2.1'), await open('192.0.2.1')];
  const fourth = await open('192.0.2.1');
  await fourth.until(/TOO_MANY_STREAMS/);
  const elsewhere = [await open('192.0.2.2'), await open('2001:db8::1')];
  expect([await signIn(first, ann), await signIn(second, ann), await signIn(third, bob)]).toEqual([
    'result',
    'result',
    'result',
  ]);
  const [other] = elsewhere as [typeof first];
  expect(await signIn(other, ann)).toBe('error');
  expect(other.heard()).toContain('TOO_MANY_STREAMS');
  await (await open('192.0.2.8')).until(/OVERLOADED/);
  await first.leave('reset');
  await expect.poll(() => gauge('sockets')).toBe(4);
  await other.send(
    textFrame(JSON.stringify({ id: 2, method: 'authenticate', params: { token: await api.token(ann) } })),
  );
  await other.until(/"id":2,"result"/);
});
