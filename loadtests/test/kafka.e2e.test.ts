import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { crashDrill, drillTable } from '../src/crashDrill.ts';
import { startInstallation } from '../src/installation.ts';

const SEED = 20_261_124;
const KILLS = 8;
const KAFKA_BROKERS = inject('kafkaBrokers') ?? '';

describe.runIf(KAFKA_BROKERS)('with Kafka', () => {
  test(`${KILLS} times kill -9 under load: nothing acknowledged is lost, nothing happens twice`, {
    timeout: 300_000,
  }, async () => {
    const installation = await startInstallation({ env: { KAFKA_BROKERS } });
    try {
      const result = await crashDrill(installation, { kills: KILLS, seed: SEED, clients: 4, pauseMs: 600 });
      expect(result.audit.findings.list, `seed ${SEED}\n${drillTable(result)}`).toEqual([]);
      expect(result.kills.filter(({ recoveryMs }) => recoveryMs === undefined)).toEqual([]);
      expect(result.kills).toHaveLength(KILLS);
      expect(result.audit.history.counts.trades).toBeGreaterThan(0);
      // It was Kafka that they came through.
      const log = readFileSync(join(installation.dataDir, 'brokerx.log'), 'utf8');
      for (const topic of ['brokerx.orders', 'brokerx.market']) {
        expect(log).toMatch(new RegExp(`topic is in time: it is read.*${topic}|${topic}.*topic is in time`));
      }
    } finally {
      await installation.stop();
    }
  });
});
