import { spawnSync } from 'node:child_process';
import { brokerApi } from '@brokerx/client';
import { expect, inject } from 'vitest';
import { crashDrill, drillTable } from '../src/crashDrill.ts';
import type { Counts } from '../src/own/counts.ts';
import { startInstallation } from '../src/own/installation.ts';
import { startOutsideServers } from '../src/own/outsideServers.ts';

const SEED = 20_261_123;
/** For a drill as a test: some minutes on a busy machine. */
export const DRILL_TIMEOUT_MS = 400_000;

/** What this machine has; the run says what it lacks. */
export const outsideServers = () => ({
  kafka: inject('kafkaJars') !== null,
  redis: spawnSync('redis-server', ['--version']).status === 0,
});
export const TWO_OF_EACH = { commandApis: 2, engines: 2, projectors: 2, queryApis: 2 };

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
      // None of the kinds was spared.
      const kinds = (names: readonly string[]) => new Set(names.map((name) => name.replace(/-\d+$/, '')));
      const victims = Object.keys({ ...installation.pids(), ...outside.pids() });
      expect(kinds(result.kills.map(({ process }) => process))).toEqual(
        kinds(victims.filter((name) => !/supervisor|^brokerx$/.test(name))),
      );
      expect(result.audit.history.counts.trades).toBeGreaterThan(0);
      const api = brokerApi(installation.status);
      const ticker = async () => (await api.raw('query', { path: '/v1/symbols/DRILLA/ticker' })).status;
      await expect.poll(ticker).toBe(200);
      await api.close();
    } finally {
      await installation.stop();
    }
  } finally {
    await outside.stop();
  }
}
