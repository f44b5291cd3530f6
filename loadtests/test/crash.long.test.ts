import { test } from 'vitest';
import { expectToSurvive, outsideServers, TWO_OF_EACH } from './crash.ts';

const TIMEOUT_MS = 1_800_000;

test(
  'kill -9 under load, each of each kind several times: nothing acknowledged is lost, nothing happens twice',
  () => expectToSurvive({ kills: 20, pauses: 0 }, { servers: { kafka: false, redis: false } }),
  TIMEOUT_MS,
);

test(
  'kill -9 under load, two of each kind with Kafka and Redis, some of them put to sleep: nothing acknowledged is lost, nothing happens twice',
  () => expectToSurvive({ kills: 28, pauses: 4 }, { counts: TWO_OF_EACH, servers: outsideServers() }),
  TIMEOUT_MS,
);
