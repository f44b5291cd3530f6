import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { bookStream, type Event, eventCodec, marketStream } from '@brokerx/contracts';
import { symbolListed, symbolRules } from '@brokerx/contracts/testing/facts.ts';
import { type EventStore, mayFail, postgresEventStore, realRuntime as runtime } from '@brokerx/infra';
import { freePort } from '@brokerx/infra/runtime/ports.ts';
import {
  hasRedisServer,
  startTemporaryRedis,
  type TemporaryRedis,
} from '@brokerx/infra/servers/temporaryRedis.ts';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEventSource } from './eventSource.ts';
import { ann, appendFacts, idOf } from './queryApi.ts';

/** Projectors and query-api as processes over a PostgreSQL and a Redis, which is taken away from them in every way. */
const script = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
/** What a process may take to notice a loss and make up for it, on a machine that is busy with other things. */
const COMES_BACK = { timeout: 100_000, interval: 20 };

describe.runIf(hasRedisServer())('market data without their Redis', { timeout: 90_000 }, () => {
  let database: FreshDatabase;
  let redis: TemporaryRedis;
  let store: EventStore<Event>;
  let url: string;
  const processes: ChildProcess[] = [];
  let sequence = 1;

  beforeAll(async () => {
    [database, redis] = await Promise.all([freshDatabase(), startTemporaryRedis()]);
    store = await postgresEventStore({ databaseUrl: database.url, codec: eventCodec(), runtime });
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const env = {
      ...process.env,
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      QUERY_API_PORT: String(port),
      LOG_LEVEL: 'fatal',
    };
    for (const main of ['projectors/src/main.ts', 'query-api/src/main.ts']) {
      processes.push(
        spawn(process.execPath, [script(main)], { env, stdio: ['ignore', 'ignore', 'inherit'] }),
      );
    }
    await appendFacts(store, marketStream('XEQT'), [
      symbolListed({ symbol: 'XEQT', rules: symbolRules({ listingTicks: 3_000, feePpm: 500 }) }),
    ]);
    await appendFacts(store, bookStream('XEQT'), [
      { type: 'EngineStarted.v1', data: { epoch: 1, matchingRules: 1 } },
    ]);
  });
  afterAll(async () => {
    for (const running of processes) {
      running.kill('SIGKILL');
      if (running.exitCode === null && running.signalCode === null) await once(running, 'exit');
    }
    await store.close();
    await redis.stop();
    await database.drop();
  });

  const ask = async (path: string): Promise<[status: number, body: unknown]> => {
    const reply = await mayFail(fetch(url + path), 'the API has not started yet');
    return reply ? [reply.status, await reply.json()] : [0, null];
  };
  const depth = () => ask('/v1/symbols/XEQT/depth');
  /** Ten more shares are wanted at 30.00. */
  const wantMore = async () => {
    sequence += 1;
    await appendFacts(store, bookStream('XEQT'), [
      {
        type: 'OrderAccepted.v1',
        data: {
          order: { orderId: idOf(`order ${sequence}`), accountId: ann.accountId, revision: sequence },
          side: 'buy',
          type: 'limit',
          timeInForce: 'day',
          quantity: 10,
          limitTicks: 3_000,
          restingQuantity: 10,
        },
      },
    ]);
  };
  const shown = () => ({
    symbol: 'XEQT',
    sequence: sequence - 1,
    last_update_id: sequence - 1,
    crossed: false,
    bids: [['30.00', String((sequence - 1) * 10)]],
    asks: [],
  });
  const comesBack = async () => {
    await expect.poll(depth, COMES_BACK).toEqual([200, shown()]);
    const ticker = await ask('/v1/symbols/XEQT/ticker');
    expect(ticker).toEqual([200, expect.objectContaining({ bid: '30.00', bid_qty: shown().bids[0]?.[1] })]);
  };

  test('they are told, flushed and come back, are away and come back, and a stream goes on through all of it', async () => {
    await wantMore();
    await comesBack();
    const source = await openEventSource(`${url}/v1/streams/symbols/XEQT`);
    await source.until((messages) => messages.length === 1);

    await redis.call('FLUSHALL');
    await comesBack();

    // Killed: market data are away, everything else goes on; then an empty Redis at the same address.
    await redis.kill();
    expect(await depth()).toEqual([503, expect.objectContaining({ code: 'UNAVAILABLE', retryable: true })]);
    expect((await ask('/v1/symbols'))[0]).toBe(200);
    expect((await ask('/readyz'))[0]).toBe(200);
    await wantMore();
    await redis.start();
    await comesBack();
    await source.until((messages) =>
      messages.some(({ data }) => JSON.stringify(data) === JSON.stringify(shown())),
    );

    // Killed, and back with what it knew before.
    await redis.call('SAVE');
    await wantMore();
    await comesBack();
    await redis.kill();
    await redis.start();
    await comesBack();
    await wantMore();
    await source.until((messages) =>
      messages.some(({ data }) => JSON.stringify(data) === JSON.stringify(shown())),
    );
    await source.close();
    expect(processes.map(({ exitCode, signalCode }) => [exitCode, signalCode])).toEqual([
      [null, null],
      [null, null],
    ]);
  });
});
