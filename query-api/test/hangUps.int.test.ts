import { createServer, type Server } from 'node:http';
import { accountStream, bookStream } from '@brokerx/contracts';
import { type Runtime, realRuntime } from '@brokerx/infra';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { list, rests } from './market.ts';
import { analyst, ann, startTestQueryApi, type TestQueryApi } from './queryApi.ts';
import { HANDSHAKE, type Manner, rawSocket, requestHead, textFrame } from './rawSocket.ts';

/** Whoever leaves, at whichever stage of whatever it asks, gives everything back. */
let api: TestQueryApi;
let commands: Server;
/** Commands that came and are not answered yet. */
const unanswered = new Set<() => void>();
const timers = new Set<object>();
const runtime: Runtime = {
  ...realRuntime,
  setTimer(ms, callback) {
    const timer = {};
    timers.add(timer);
    const cancel = realRuntime.setTimer(ms, () => {
      timers.delete(timer);
      callback();
    });
    return () => {
      timers.delete(timer);
      cancel();
    };
  },
};

beforeAll(async () => {
  commands = createServer((request, response) => {
    request.resume().on('end', () => {
      const answer = () => response.writeHead(202, { 'content-type': 'application/json' }).end('{}');
      unanswered.add(answer);
    });
  });
  await new Promise<void>((resolve) => commands.listen(0, '127.0.0.1', resolve));
  const { port } = commands.address() as { port: number };
  api = await startTestQueryApi({ runtime, commandUrl: `http://127.0.0.1:${port}` });
  await list(api, 'XEQT');
  for (const { accountId, clientId } of [ann, analyst]) {
    await api.append(accountStream(accountId), [{ type: 'AccountOpened.v1', data: { accountId, clientId } }]);
  }
  const position = await api.append(bookStream('XEQT'), [rests('o1', 'buy', 2_990, 10)]);
  for (const name of ['symbols', 'candles', 'orders']) await api.project(name, position);
  await api.marketData(position, {
    'depth:XEQT': { symbol: 'XEQT', sequence: 0, bids: [], asks: [] },
    'ticker:XEQT': { symbol: 'XEQT', sequence: 0, last_price: null },
  });
}, 60_000);
afterAll(async () => {
  await api.close();
  commands.closeAllConnections();
  commands.close();
});

/** Every gauge of the process by its name, and its counters of waits. */
async function figures(): Promise<Record<string, number>> {
  const text = await (await fetch(`${api.url}/metrics`)).text();
  const lines = text.matchAll(/^brokerx_query_(\w+)\{(?:[^}]*outcome="(\w+)")?[^}]*\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, name, outcome, value]) => [outcome ?? name, Number(value)]));
}
const GAUGES = [
  'streams',
  'exports',
  'sockets',
  'subscriptions',
  'socket_requests',
  'commands',
  'book_users',
  'value_watchers',
  'waiting',
];
/** A book is followed on for a minute after its last user has left, which is one watcher and one timer. */
async function held(): Promise<Record<string, number>> {
  const all = await figures();
  const gauges = Object.fromEntries(GAUGES.map((name) => [name, all[name] ?? Number.NaN]));
  return { ...gauges, watchers: (all['watchers'] ?? Number.NaN) - (all['books'] ?? 0) };
}
const NOTHING = Object.fromEntries([...GAUGES, 'watchers'].map((name) => [name, 0]));
const nothingIsHeld = () => expect.poll(held).toEqual(NOTHING);

/** The poll of the projections' positions, which is off for the moment in which it reads. */
const STANDING_TIMERS = 1;

const MANNERS: readonly Manner[] = ['fin', 'reset'];
const CHANNELS = [
  'depth',
  'book_orders',
  'trades',
  'best_prices',
  'auction',
  'ticker',
  'reference_price',
  'rules',
];
const bearer = async (person: typeof ann) => ({ authorization: `Bearer ${await api.token(person)}` });

test.for<[what: string, path: string, by: typeof ann | null]>([
  ['a symbol’s stream', '/v1/streams/symbols/XEQT', null],
  ['a stream that resumes', '/v1/streams/symbols/XEQT?last_event_id=0', null],
  ['a stream that is refused', '/v1/streams/symbols/NOWHERE', null],
  ['one’s orders', '/v1/streams/orders', ann],
  ['candles', '/v1/streams/symbols/XEQT/candles?interval=1m', null],
  ...CHANNELS.map((name): [string, string, null] => [name, `/v1/streams/symbols/XEQT/${name}`, null]),
  ['a channel that is refused', '/v1/streams/symbols/NOWHERE/depth', null],
  ['an export', '/v1/events', analyst],
  ['an export that follows', '/v1/events?follow=true', analyst],
  ['a page', '/v1/symbols', null],
])('who hangs up on %s, at whichever stage, leaves nothing behind', async ([, path, by]) => {
  const before = timers.size;
  const head = requestHead(path, by ? await bearer(by) : {});
  for (const manner of MANNERS) {
    const stages: (() => Promise<void>)[] = [
      async () => (await rawSocket(api.url)).leave(manner),
      async () => {
        const client = await rawSocket(api.url);
        await client.send(head.slice(0, head.length / 2));
        await client.leave(manner);
      },
      async () => {
        const client = await rawSocket(api.url);
        await client.send(head);
        await client.leave(manner);
      },
      async () => {
        const client = await rawSocket(api.url);
        await client.send(head);
        await client.until(/^HTTP\/1\.1 \d{3} /);
        await client.leave(manner);
      },
    ];
    // Several at once, as a crowd leaves: they share what is opened for them.
    for (const stage of stages) await Promise.all([stage(), stage(), stage()]);
  }
  await nothingIsHeld();
  // What is left may be the book that lingers.
  const { books = 0 } = await figures();
  await expect.poll(() => timers.size).toBeLessThanOrEqual(Math.max(before, STANDING_TIMERS) + books);
});

test('a query that waits gives its place back as soon as its client has gone', async () => {
  const before = (await figures())['gone'] ?? 0;
  const path = `/v1/symbols?min_position=${api.positionToken((await api.store.head()) + 1_000)}`;
  for (const manner of MANNERS) {
    const clients = await Promise.all(Array.from({ length: 5 }, () => rawSocket(api.url)));
    for (const client of clients) await client.send(requestHead(path));
    await expect.poll(async () => (await figures())['waiting']).toBe(5);
    for (const client of clients) await client.leave(manner);
    await nothingIsHeld();
  }
  expect((await figures())['gone']).toBe(before + 10);
});

test.for<[what: string, messages: (token: string) => object[]]>([
  ['nothing', () => []],
  ['a sign-in', (token) => [{ method: 'authenticate', params: { token } }]],
  [
    'subscriptions',
    (token) => [
      { method: 'authenticate', params: { token } },
      {
        method: 'subscribe',
        params: {
          subscriptions: [
            { channel: 'orders' },
            { channel: 'candles', symbol: 'XEQT', interval: '1m' },
            ...['depth', 'trades', 'ticker', 'best_prices'].map((channel) => ({ channel, symbol: 'XEQT' })),
          ],
        },
      },
    ],
  ],
  [
    'one that is refused among them',
    () => [
      {
        method: 'subscribe',
        params: {
          subscriptions: ['XEQT', 'NOWHERE'].map((symbol) => ({ channel: 'depth', symbol })),
        },
      },
    ],
  ],
  [
    'an order',
    (token) => [
      { method: 'authenticate', params: { token } },
      { method: 'place_order', params: { order: {} } },
    ],
  ],
])(
  'who hangs up a WebSocket that asked for %s, at whichever stage, leaves nothing behind',
  async ([, messages]) => {
    const before = timers.size;
    const token = await api.token(ann);
    const frames = messages(token).map((message, id) => textFrame(JSON.stringify({ id, ...message })));
    const opened = async () => {
      const client = await rawSocket(api.url);
      await client.send(HANDSHAKE);
      await client.until(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\n/);
      return client;
    };
    for (const manner of MANNERS) {
      const stages: (() => Promise<void>)[] = [
        async () => {
          const client = await rawSocket(api.url);
          await client.send(HANDSHAKE.slice(0, HANDSHAKE.length / 2));
          await client.leave(manner);
        },
        async () => {
          const client = await rawSocket(api.url);
          await client.send(HANDSHAKE);
          await client.leave(manner);
        },
        async () => (await opened()).leave(manner),
        // In the middle of each message, at its end, and when it was answered.
        ...frames.flatMap((frame, at) => {
          const until = async () => {
            const client = await opened();
            for (const [id, earlier] of frames.slice(0, at).entries()) {
              await client.send(earlier);
              await client.until(new RegExp(`"id":${id},`));
            }
            return client;
          };
          return [
            async () => {
              const client = await until();
              await client.send(frame.subarray(0, frame.length / 2));
              await client.leave(manner);
            },
            async () => {
              const client = await until();
              await client.send(frame);
              await client.leave(manner);
            },
          ];
        }),
      ];
      for (const stage of stages) await Promise.all([stage(), stage(), stage()]);
    }
    // A command goes its way whether or not anybody waits for it: it is under way until it is answered.
    await expect
      .poll(
        async () => {
          for (const answer of unanswered) answer();
          unanswered.clear();
          return held();
        },
        { timeout: 20_000 },
      )
      .toEqual(NOTHING);
    const { books = 0 } = await figures();
    await expect.poll(() => timers.size).toBeLessThanOrEqual(Math.max(before, STANDING_TIMERS) + books);
  },
);
