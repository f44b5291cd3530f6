import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** A test that depends on how fast the machine is fails on one that is twice overloaded: the whole suite runs on such a one. */
const ROOT = join(import.meta.dirname, '../..');
const TIMES = [1, 2, 3, 4, 5];
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

test.for(TIMES)('the whole suite beside two busy loops, time %i', async () => {
  const { code, told } = await suite();
  expect(code, told).toBe(0);
  expect(loops.map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual(loops.map(() => null));
});

function suite(): Promise<{ code: number | null; told: string }> {
  const {
    VITEST: _v,
    VITEST_MODE: _m,
    VITEST_WORKER_ID: _w,
    VITEST_POOL_ID: _p,
    NODE_ENV: _n,
    ...env
  } = process.env;
  const run = spawn(process.execPath, [join(ROOT, 'infra/launch.mjs'), 'vitest', 'run'], {
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
  return new Promise((resolve, reject) => {
    run.once('error', reject);
    run.once('close', (code) => resolve({ code, told }));
  });
}
