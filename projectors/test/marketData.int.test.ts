import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { eventCodec, MARKET_DATA_VIEW } from '@brokerx/contracts';
import {
  createLog,
  type HotView,
  memoryEventStore,
  memorySnapshots,
  realRuntime as runtime,
} from '@brokerx/infra';
import { redisHotStore } from '@brokerx/infra/hotStore/hotStore.redis.ts';
import {
  hasRedisServer,
  startTemporaryRedis,
  type TemporaryRedis,
} from '@brokerx/infra/servers/temporaryRedis.ts';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { follow } from './followMarket.ts';
import { type History, makeHistory } from './history.ts';
import { hotExpected, hotShown } from './hotViewOf.ts';
import { appendAll } from './readModelsOf.ts';

/** A second to notice that a quiet view is lost, and as long again for a slow machine to write it. */
const COMES_BACK = { timeout: 100_000, interval: 20 };

describe.runIf(hasRedisServer())('market data in a Redis that loses everything', { timeout: 60_000 }, () => {
  let server: TemporaryRedis;
  beforeAll(async () => {
    server = await startTemporaryRedis();
  });
  afterAll(() => server.stop());

  async function following(history: History) {
    const storeId = randomUUID();
    const store = memoryEventStore({ id: storeId, codec: eventCodec() });
    const said: string[] = [];
    const write = (line: string) => {
      const { level, msg } = JSON.parse(line) as { level: string; msg: string };
      said.push(`${level} ${msg}`);
    };
    const log = createLog({ name: 'test', level: 'info', destination: { write } });
    const hotStore = await redisHotStore({ url: server.url, storeId, runtime, log });
    onTestFinished(() => hotStore.close());
    const { stop } = follow({ store, hotStore, snapshots: memorySnapshots({ store }), log });
    const view = hotStore.view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version);
    const whole = async () => {
      await expect
        .poll(() => view.cursor(), COMES_BACK)
        .toMatchObject({ storeId, position: await store.head() });
      expect(await hotShown(view, history)).toEqual(hotExpected(history));
    };
    return { store, view, whole, stop, said };
  }
  /** What it was when last published, though nothing happens in the market any more. */
  async function quiet(seed: number, symbols = 3) {
    const history = makeHistory({ seed, orders: 500, symbols });
    const market = await following(history);
    await appendAll(market.store, history.commits);
    await market.whole();
    return market;
  }

  test.for([
    ['flushed', () => server.call('FLUSHALL')],
    [
      'killed and started again without data',
      async () => {
        await server.kill();
        await server.start();
      },
    ],
    [
      'away for a while, and then without data',
      async () => {
        await server.kill();
        await delay(2_500);
        await server.start();
      },
    ],
  ] as const)('%s, a quiet market is whole again by itself', async ([, lose]) => {
    const { whole, stop } = await quiet(41);
    await lose();
    await whole();
    await stop();
  });

  test('a Redis whose memory is full is told once, and once more when it takes something again', async () => {
    const history = makeHistory({ seed: 5, orders: 500, symbols: 2 });
    const market = await following(history);
    const half = Math.floor(history.commits.length / 2);
    await appendAll(market.store, history.commits.slice(0, half));
    const head = await market.store.head();
    await expect.poll(() => market.view.cursor(), COMES_BACK).toMatchObject({ position: head });
    const before = market.said.length;
    const said = () => market.said.slice(before);
    await server.call('CONFIG', 'SET', 'maxmemory', '1');
    try {
      await appendAll(market.store, history.commits.slice(half));
      await expect.poll(said, COMES_BACK).toHaveLength(2);
      // Three more tries.
      await delay(4_000);
    } finally {
      await server.call('CONFIG', 'SET', 'maxmemory', '0');
    }
    await market.whole();
    expect(said()).toEqual([
      expect.stringMatching(/^warn market data could not be published/),
      expect.stringMatching(
        /^warn the hot store is taking nothing: until it does, depth, tickers and trades/,
      ),
      expect.stringMatching(/^info the hot store takes what is published again after \d/),
    ]);
  });

  test('a Redis that comes back with what it had saved earlier is brought up to now', async () => {
    const history = makeHistory({ seed: 42, orders: 300 });
    const { store, view, whole, stop } = await following(history);
    const half = history.commits.length >> 1;
    await appendAll(store, history.commits.slice(0, half));
    const then = await store.head();
    await expect.poll(async () => (await view.cursor())?.position, COMES_BACK).toBe(then);
    await server.call('SAVE');
    await appendAll(store, history.commits.slice(half));
    await whole();
    await server.kill();
    await server.start();
    await whole();
    await stop();
    await server.call('FLUSHALL');
    await server.call('SAVE');
  });

  test('flushed again and again while orders come in, it ends as it must', async () => {
    const history = makeHistory({ seed: 43, orders: 1_500, symbols: 5 });
    const { store, whole, stop } = await following(history);
    const size = Math.ceil(history.commits.length / 30);
    for (let part = 0; part < 30; part++) {
      await appendAll(store, history.commits.slice(part * size, (part + 1) * size));
      await delay(40);
      if (part % 5 === 4) await server.call('FLUSHALL');
    }
    await whole();
    await stop();
  });

  test('more symbols than one write holds: no reader sees a symbol missing in a view that stands somewhere', async () => {
    const { view, whole, stop } = await quiet(44, 120);
    const seen = watchGaps(view);
    await server.call('FLUSHALL');
    await whole();
    expect(await seen.ended()).toEqual([]);
    await stop();
  });
});

/** Reads on and on; gives the cursors beside which a symbol's values were missing. */
function watchGaps(view: HotView) {
  const keys = ['ticker:SYM0', 'ticker:SYM99', 'ticker:SYM119'];
  const gaps: unknown[] = [];
  let watching = true;
  const loop = (async () => {
    while (watching) {
      const { values, cursor } = await view.read(keys);
      // An empty view, and one at the beginning of the store, is known to be unfinished.
      if (cursor !== null && cursor.position > 0 && values.includes(null)) gaps.push({ values, cursor });
    }
  })();
  return {
    async ended() {
      watching = false;
      await loop;
      return gaps;
    },
  };
}
