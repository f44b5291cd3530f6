import { defineConfig } from 'vitest/config';

/** What is too slow for every run, one after the other: `npm run test:long`, every night. */
export default defineConfig({
  test: {
    include: ['{*,infra/installation}/{src,test,sim}/**/*.long.test.ts'],
    fileParallelism: false,
    // The servers of every run, for the long tests that share code with it.
    globalSetup: ['./infra/src/servers/testServers.ts'],
    expect: { poll: { timeout: 100_000 } },
    // An hour for each: a suite of five minutes beside others that take every second moment of two cores.
    testTimeout: 3_600_000,
  },
});
