import { test } from 'vitest';
import { DRILL_TIMEOUT_MS, expectToSurvive, outsideServers, TWO_OF_EACH } from './crash.ts';

test(
  'kill -9 under load, two of each kind with Kafka and Redis, one of them put to sleep: nothing acknowledged is lost, nothing happens twice',
  () => expectToSurvive({ kills: 7, pauses: 1 }, { counts: TWO_OF_EACH, servers: outsideServers() }),
  DRILL_TIMEOUT_MS,
);
