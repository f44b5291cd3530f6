import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** A test that depends on how fast the machine is fails on one that is twice overloaded: the whole suite runs on such a one. */
const ROOT = join(import.meta.dirname, '../..');
/** `SUITE_TIMES=1 npm run test:long -- wholeSuite` is a look in between. */
const TIMES = Array.from({ length: Number(process.env.SUITE_TIMES ?? 5) }, (_, index) => index + 1);
const BUSY_LOOPS = 2;
/** Takes one core, and ends with whoever started it: a killed run leaves nothing behind. */
const BUSY = 'const parent = process.ppid; while (process.ppid === parent);';
/** The end of what a run says: which tests failed, and why. */
const TOLD_CHARACTERS = 20_000;

let loops: ChildProcess[] = [];
beforeAll(() => {
  loops = Array.from({ length: BUSY_LOOPS }, () =>
    spawn(process.execPath, ['-e', BUSY], { stdio: 'ignore' }),
  );
});
afterAll(() => {
  for (const loop of loops) loop.kill('SIGKILL');
});

test.for(TIMES)('the whole suite beside two busy loops, time %i', async (time) => {
  const begun = performance.now();
  const { code, told, failed } = await suite();
  const seconds = Math.round((performance.now() - begun) / 1_000);
  process.stdout.write(
    `time ${time}: ${seconds} s, exit code ${code}, failed: ${failed.join(', ') || 'none'}\n`,
  );
  // A run in which no test fails may end with an error that no test caught: the rounds that follow do not bury it.
  if (code !== 0) process.stdout.write(`${told}\n`);
  expect(code, told).toBe(0);
  expect(loops.map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual(loops.map(() => null));
});

type Report = {
  testResults: { name: string; status: string; assertionResults: { status: string; fullName: string }[] }[];
};
/** Tests that failed, and files that did not load. */
function failures(report: string): string[] {
  if (!existsSync(report)) return ['the run ended before its report'];
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  return testResults.flatMap(({ name, status, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === 'failed').map(({ fullName }) => fullName);
    return status === 'failed' && tests.length === 0 ? [name] : tests.map((test) => `${name} > ${test}`);
  });
}

async function suite(): Promise<{ code: number | null; told: string; failed: string[] }> {
  const {
    VITEST: _v,
    VITEST_MODE: _m,
    VITEST_WORKER_ID: _w,
    VITEST_POOL_ID: _p,
    NODE_ENV: _n,
    ...env
  } = process.env;
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-suite-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const run = spawn(process.execPath, [join(ROOT, 'infra/launch.mjs'), 'vitest', 'run', ...reporters], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  for (const stream of [run.stdout, run.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      told = (told + text).slice(-TOLD_CHARACTERS);
    });
  }
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      run.once('error', reject);
      run.once('close', resolve);
    });
    return { code, told, failed: failures(report) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
