import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['*/{src,test,sim}/**/*.test.ts'],
    // One real PostgreSQL for the run: `freshDatabase()` in infra/src/services.ts.
    globalSetup: ['./infra/src/services.ts'],
    // Most tests wait for processes and disks: two files at a time also where there are two cores.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
