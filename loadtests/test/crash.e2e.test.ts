import { test } from 'vitest';
import { DRILL_TIMEOUT_MS, expectToSurvive } from './crash.ts';

test(
  'kill -9 under load, one of each kind: nothing acknowledged is lost, nothing happens twice',
  () => expectToSurvive({ kills: 5, pauses: 0 }, { servers: { kafka: false, redis: false } }),
  DRILL_TIMEOUT_MS,
);
