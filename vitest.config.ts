import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Whole installations first, then single servers, then what runs in memory: so no long file is left alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => KINDS.findIndex((kind) => moduleId.includes(kind));
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
const KINDS = ['crash', '.sim.', '.e2e.', '.int.', ''];

export default defineConfig({
  test: {
    include: ['{*,infra/installation}/{src,test,sim}/**/*.test.ts'],
    // `npm run test:long`
    exclude: [...configDefaults.exclude, '**/*.long.test.ts'],
    // One real PostgreSQL for the run: `freshDatabase()` in infra/src/servers/testServers.ts.
    globalSetup: ['./infra/src/servers/testServers.ts'],
    sequence: { sequencer: LongestFirst },
    // No file leaves anything behind that another one meets: loading everything again for each costs more than many run.
    isolate: false,
    // Most tests wait for processes and disks: four files at a time also where there are two cores.
    maxWorkers: 4,
    // Processes that tests start compile what they share once.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/compiled') },
    testTimeout: 30_000,
    // What a test waits for comes when the machine has time for it; so much before the test ends that it is told what did not.
    expect: { poll: { timeout: 25_000 } },
    hookTimeout: 60_000,
  },
});
