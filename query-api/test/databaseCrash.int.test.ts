import { afterAll, beforeAll, test } from 'vitest';
import { expectNothingOlder, startAll, stopAll } from './databaseCrash.ts';

beforeAll(startAll, 120_000);
afterAll(stopAll, 60_000);

test(
  'what was told once is never answered by something older, whatever of PostgreSQL is killed',
  () => expectNothingOlder({ backend: 3, server: 1 }),
  300_000,
);
