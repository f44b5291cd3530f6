import { createServer, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { type Api, brokerApi } from '../src/api.ts';
import { openSession } from '../src/session.ts';
import { scriptedServer } from './scriptedServer.ts';

/** Commands are answered with rising positions, whatever they say; queries say which position they were asked for. */
const STORE = '11111111-1111-4111-8111-111111111111';
const tokenOf = (sub: string) => `e30.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.x`;
const [ann, bob] = [tokenOf('ann'), tokenOf('bob')];

let server: Server;
let api: Api;
let foreign: string | undefined;
afterEach(async () => {
  await api.close();
  server.close();
});
async function given(): Promise<void> {
  let position = 0;
  foreign = undefined;
  server = createServer((request, response) => {
    const asked = request.headers['x-brokerx-position'];
    const reply = (status: number, body: object, headers = {}) =>
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(body));
    if (request.method === 'GET') {
      if (asked === foreign && asked !== undefined)
        return reply(409, { code: 'FOREIGN_POSITION', retryable: false });
      return reply(200, { asked: asked ?? null });
    }
    position += 1;
    const refused = request.url === '/refused';
    reply(refused ? 422 : 202, refused ? { code: 'PRICE_TICK' } : {}, {
      'x-brokerx-position': `${STORE}:${position}`,
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  api = brokerApi({ commandUrl: url, queryUrl: url });
}
const asked = async (token: string | undefined, minPosition?: string | null) =>
  (await api.query<{ asked: string | null }>('/', { token, minPosition })).asked;

test('what a person asks reflects their own last command, a refusal that was recorded as well', async () => {
  await given();
  expect(await asked(ann)).toBeNull();
  await api.command({ method: 'POST', path: '/', token: ann });
  await api.command({ method: 'POST', path: '/', token: bob });
  expect([await asked(ann), await asked(bob), await asked(undefined)]).toEqual([
    `${STORE}:1`,
    `${STORE}:2`,
    null,
  ]);
  await api.command({ method: 'POST', path: '/refused', token: ann });
  expect(await asked(ann)).toBe(`${STORE}:3`);
});

test('who says otherwise is asked for what they say', async () => {
  await given();
  await api.command({ method: 'POST', path: '/', token: ann });
  expect([await asked(ann, null), await asked(ann, `${STORE}:9`)]).toEqual([null, `${STORE}:9`]);
});

test('a position of another store is forgotten; one that was given is refused', async () => {
  await given();
  await api.command({ method: 'POST', path: '/', token: ann });
  foreign = `${STORE}:1`;
  expect([await asked(ann), await asked(ann)]).toEqual([null, null]);
  await expect(asked(ann, foreign)).rejects.toMatchObject({ status: 409, code: 'FOREIGN_POSITION' });
});

test('orders of the WebSocket are remembered with the others', async () => {
  await given();
  const socket = await scriptedServer(({ method }) =>
    method === 'authenticate'
      ? { result: { expires_at: new Date(Date.now() + 900_000).toISOString() } }
      : { status: 202, result: {}, position: `${STORE}:41` },
  );
  const session = openSession({
    api: { queryUrl: socket.url, positions: api.positions },
    token: async () => ann,
  });
  await session.cancel('an order');
  expect([await asked(ann), await asked(bob)]).toEqual([`${STORE}:41`, null]);
  session.close();
  await socket.close();
});
