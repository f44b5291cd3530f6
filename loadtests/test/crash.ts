import { brokerApi } from '@brokerx/client';
import { expect } from 'vitest';
import { crashDrill, drillTable } from '../src/crashDrill.ts';
import type { Counts } from '../src/own/counts.ts';
import { startInstallation } from '../src/own/installation.ts';
import { startOutsideServers } from '../src/own/outsideServers.ts';

const SEED = 20_261_123;
/** For a drill as a test: some minutes on a busy machine. */
export const DRILL_TIMEOUT_MS = 400_000;

/** An installation under load is struck again and again: it goes on by itself, and its history is whole. */
export async function expectToSurvive(
  blows: { kills: number; pauses: number },
  { counts = {}, servers }: { counts?: Counts; servers: { kafka: boolean; redis: boolean } },
): Promise<void> {
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
}
