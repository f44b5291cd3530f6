import { test } from 'vitest';
import { DRILL_TIMEOUT_MS, expectToSurvive } from './crash.ts';

test(
  'kill -9 under load, one of each kind: nothing acknowledged is lost, nothing happens twice',
  async () => {
    await expectToSurvive({ kills: 9, pauses: 0 }, { servers: { kafka: false, redis: false } });
  },
  DRILL_TIMEOUT_MS,
);
