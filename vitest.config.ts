import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['*/{src,test,sim}/**/*.test.ts'],
    // One real PostgreSQL for the run: `freshDatabase()` in infra/src/services.ts.
    globalSetup: ['./infra/src/services.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
