import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Whole installations first, then single servers, then what runs in memory: so no long file is left alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => KINDS.findIndex((kind) => moduleId.includes(kind));
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
const KINDS = ['crash', '.sim.', '.e2e.', '.int.', ''];

const WITH_PROCESSES = ['*/{src,test}/**/*.{int,e2e}.test.ts'];

export default defineConfig({
  test: {
    // One real PostgreSQL for the run: `freshDatabase()` in infra/src/services.ts.
    globalSetup: ['./infra/src/services.ts'],
    sequence: { sequencer: LongestFirst },
    // Most tests wait for processes and disks: three files at a time also where there are two cores.
    maxWorkers: 3,
    // Processes that tests start compile what they share once.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/compiled') },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'processes', include: WITH_PROCESSES } },
      // What holds nothing outside its own test needs no worker of its own: loading everything again costs more than it runs.
      {
        extends: true,
        test: {
          name: 'memory',
          include: ['*/{src,test,sim}/**/*.test.ts'],
          exclude: WITH_PROCESSES,
          isolate: false,
        },
      },
    ],
  },
});
