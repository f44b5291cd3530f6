import { afterAll, beforeAll, test } from 'vitest';
import { expectNothingOlder, startAll, stopAll } from './databaseCrash.ts';

beforeAll(startAll, 120_000);
afterAll(stopAll, 60_000);

test(
  'what was told once is never answered by something older, whatever of PostgreSQL is killed, again and again',
  () => expectNothingOlder({ backend: 20, server: 4 }),
  1_200_000,
);
