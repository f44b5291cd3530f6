import { expect, test } from 'vitest';
import { crashDrill, drillTable } from '../src/crashDrill.ts';
import { startInstallation } from '../src/installation.ts';

const SEED = 20_261_123;
const TWO_OF_EACH = { commandApis: 2, engines: 2, projectors: 2, queryApis: 2 };

test.for([
  ['one of each kind', {}, { kills: 12, pauses: 0 }],
  ['two of each kind, one of them put to sleep', TWO_OF_EACH, { kills: 9, pauses: 1 }],
] as const)(
  'kill -9 under load, %s: nothing acknowledged is lost, nothing happens twice',
  {
    timeout: 300_000,
  },
  async ([, counts, blows]) => {
    const installation = await startInstallation({ counts });
    try {
      const result = await crashDrill(installation, { ...blows, seed: SEED, clients: 4, pauseMs: 600 });
      expect(result.audit.findings.list, `seed ${SEED}\n${drillTable(result)}`).toEqual([]);
      expect(result.kills.filter(({ recoveryMs }) => recoveryMs === undefined)).toEqual([]);
      expect(result.kills).toHaveLength(blows.kills + blows.pauses);
      expect(result.unexpectedExits).toEqual([]);
      expect(result.audit.history.counts.trades).toBeGreaterThan(0);
    } finally {
      await installation.stop();
    }
  },
);
