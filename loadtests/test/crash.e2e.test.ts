import { spawnSync } from 'node:child_process';
import { expect, inject, test } from 'vitest';
import { brokerApi } from '../src/client.ts';
import { crashDrill, drillTable } from '../src/crashDrill.ts';
import { startInstallation } from '../src/installation.ts';
import { startOutsideServers } from '../src/outsideServers.ts';

const SEED = 20_261_123;
const TWO_OF_EACH = { commandApis: 2, engines: 2, projectors: 2, queryApis: 2 };
const NONE = { kafka: false, redis: false };
/** What this machine has; the run says what it lacks. */
const ALL = {
  kafka: inject('kafkaJars') !== null,
  redis: spawnSync('redis-server', ['--version']).status === 0,
};

test.for([
  ['one of each kind', {}, NONE, { kills: 8, pauses: 0 }],
  [
    'two of each kind with Kafka and Redis, two of them put to sleep',
    TWO_OF_EACH,
    ALL,
    { kills: 11, pauses: 2 },
  ],
] as const)(
  'kill -9 under load, %s: nothing acknowledged is lost, nothing happens twice',
  { timeout: 400_000 },
  async ([, counts, servers, blows]) => {
    const outside = await startOutsideServers(servers);
    try {
      const installation = await startInstallation({ counts, env: outside.env });
      try {
        const options = { ...blows, seed: SEED, clients: 4, pauseMs: 600, outside };
        const result = await crashDrill(installation, options);
        expect(result.audit.findings.list, `seed ${SEED}\n${drillTable(result)}`).toEqual([]);
        expect(result.kills.filter(({ recoveryMs }) => recoveryMs === undefined)).toEqual([]);
        expect(result.kills).toHaveLength(blows.kills + blows.pauses);
        expect(result.unexpectedExits).toEqual([]);
        expect(result.audit.history.counts.trades).toBeGreaterThan(0);
        const api = brokerApi(installation.status);
        const ticker = async () => (await api.raw('query', { path: '/v1/symbols/DRILLA/ticker' })).status;
        await expect.poll(ticker, { timeout: 15_000 }).toBe(200);
        await api.close();
      } finally {
        await installation.stop();
      }
    } finally {
      await outside.stop();
    }
  },
);
