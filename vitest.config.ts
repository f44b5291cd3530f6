import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The longest first: what takes its minute is never left alone at the end, whatever else there is to run beside it. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => ORDER.findIndex((part) => moduleId.includes(part));
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
/** As measured; then by kind: whole installations, single servers, what runs in memory. */
const ORDER = [
  'loadtests/test/crashOfMany.e2e.test.ts',
  'infra/src/runtime/launch.int.test.ts',
  'infra/installation/src/cli/start.int.test.ts',
  'command-api/src/people/people.int.test.ts',
  'loadtests/test/crash.e2e.test.ts',
  'loadtests/test/restored.e2e.test.ts',
  'matching-engine/sim/engine.sim.test.ts',
  'projectors/test/topicsBroker.int.test.ts',
  'infra/src/servers/embeddedPostgres.int.test.ts',
  'loadtests/test/generated/',
  '.e2e.',
  '.int.',
  '',
];

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
    // A machine that is many times overloaded is slow, and not wrong: what hangs is told all the same.
    testTimeout: 120_000,
    // What a test waits for comes when the machine has time for it; so much before the test ends that it is told what did not.
    expect: { poll: { timeout: 100_000 } },
    hookTimeout: 120_000,
  },
});
