import { spawnSync } from 'node:child_process';
import { inject, test } from 'vitest';
import { DRILL_TIMEOUT_MS, expectToSurvive } from './crash.ts';

/** What this machine has; the run says what it lacks. */
const servers = {
  kafka: inject('kafkaJars') !== null,
  redis: spawnSync('redis-server', ['--version']).status === 0,
};
const counts = { commandApis: 2, engines: 2, projectors: 2, queryApis: 2 };

test(
  'kill -9 under load, two of each kind with Kafka and Redis, one of them put to sleep: nothing acknowledged is lost, nothing happens twice',
  async () => {
    await expectToSurvive({ kills: 11, pauses: 1 }, { counts, servers });
  },
  DRILL_TIMEOUT_MS,
);
