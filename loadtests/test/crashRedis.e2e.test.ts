import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { brokerApi } from '../src/client.ts';
import { crashDrill, drillTable } from '../src/crashDrill.ts';
import { startInstallation } from '../src/installation.ts';
import { hasRedisServer, redisServer } from './redisServer.ts';

const SEED = 20_261_124;
const KILLS = 6;

test.runIf(hasRedisServer())(
  `${KILLS} times kill -9 under load while Redis is flushed, killed and started again: nothing is lost, prices come back`,
  { timeout: 300_000 },
  async () => {
    const redis = await redisServer();
    const installation = await startInstallation({ env: { REDIS_URL: redis.url } });
    const over = new AbortController();
    let flushes = 0;
    const troubles = (async () => {
      for (let round = 0; !over.signal.aborted; round++) {
        await delay(900, undefined, { signal: over.signal }).catch(() => undefined);
        // Just after a start it may not answer yet.
        if (round % 3 < 2) flushes += redis.flush() ? 1 : 0;
        else {
          await redis.kill();
          await delay(1_500, undefined, { signal: over.signal }).catch(() => undefined);
          redis.start();
        }
      }
    })();
    try {
      const drill = crashDrill(installation, { kills: KILLS, seed: SEED, clients: 4, pauseMs: 600 });
      const result = await drill.finally(() => over.abort());
      await troubles;
      expect(result.audit.findings.list, `seed ${SEED}\n${drillTable(result)}`).toEqual([]);
      expect(result.unexpectedExits).toEqual([]);
      expect(flushes).toBeGreaterThan(0);
      expect(result.audit.history.counts.trades).toBeGreaterThan(0);
      redis.flush();
      const api = brokerApi(installation.status);
      const ticker = async () => (await api.raw('query', { path: '/v1/symbols/DRILLA/ticker' })).status;
      await expect.poll(ticker, { timeout: 15_000 }).toBe(200);
      await api.close();
    } finally {
      over.abort();
      await troubles;
      await installation.stop();
      await redis.stop();
    }
  },
);
