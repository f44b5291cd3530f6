import { expect, test } from 'vitest';
import { crashDrill, drillTable } from '../src/crashDrill.ts';
import { startInstallation } from '../src/installation.ts';

const SEED = 20_261_123;
const KILLS = 20;

test(`${KILLS} times kill -9 under load: nothing acknowledged is lost, nothing happens twice`, {
  timeout: 300_000,
}, async () => {
  const installation = await startInstallation();
  try {
    const result = await crashDrill(installation, { kills: KILLS, seed: SEED, clients: 4, pauseMs: 600 });
    expect(result.audit.findings.list, `seed ${SEED}\n${drillTable(result)}`).toEqual([]);
    expect(result.kills.filter(({ recoveryMs }) => recoveryMs === undefined)).toEqual([]);
    expect(result.kills).toHaveLength(KILLS);
    expect(result.audit.history.counts.trades).toBeGreaterThan(0);
  } finally {
    await installation.stop();
  }
});
