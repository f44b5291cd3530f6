import { spawnSync } from 'node:child_process';
import { brokerApi } from '@brokerx/client';
import { expect, inject } from 'vitest';
import { crashDrill, drillTable } from '../src/crashDrill.ts';
import type { Counts } from '../src/own/counts.ts';
import { startInstallation } from '../src/own/installation.ts';
import { startOutsideServers } from '../src/own/outsideServers.ts';

const SEED = 20_261_123;
/** The time-out of a drill as a test, which takes some minutes on a busy machine. */
export const DRILL_TIMEOUT_MS = 400_000;

/** The servers for which this machine has the programs. */
export const outsideServers = () => ({
  kafka: inject('kafkaJars') !== null,
  redis: spawnSync('redis-server', ['--version']).status === 0,
});
export const TWO_OF_EACH = { commandApis: 2, engines: 2, projectors: 2, queryApis: 2 };

/** Runs a crash drill, and expects that the installation recovers each time and that its history is whole. */
export async function expectToSurvive(
  disturbances: { kills: number; pauses: number },
  { counts = {}, servers }: { counts?: Counts; servers: { kafka: boolean; redis: boolean } },
): Promise<void> {
  const outside = await startOutsideServers(servers);
  try {
    const installation = await startInstallation({ counts, env: outside.env });
    try {
      const options = { ...disturbances, seed: SEED, clients: 4, pauseMs: 600, outside };
      const result = await crashDrill(installation, options);
      expect(result.audit.findings.list, `seed ${SEED}\n${drillTable(result)}`).toEqual([]);
      expect(result.kills.filter(({ recoveryMs }) => recoveryMs === undefined)).toEqual([]);
      expect(result.kills).toHaveLength(disturbances.kills + disturbances.pauses);
      expect(result.unexpectedExits).toEqual([]);
      // Each kind of process was killed or paused.
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
