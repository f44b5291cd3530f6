import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { SIGNAL_REPEAT_MS } from './shutdown.ts';

async function run(mode: string, onOutput: (output: string, kill: (signal: NodeJS.Signals) => void) => void) {
  const child = spawn(process.execPath, [
    fileURLToPath(new URL('../../test/stoppable.ts', import.meta.url)),
    mode,
  ]);
  let output = '';
  child.stdout.on('data', (data) => {
    output += String(data);
    onOutput(output, (signal) => child.kill(signal));
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

test('on SIGTERM what was opened last is closed first, and the exit is clean', async () => {
  const { code, output } = await run('', (seen, kill) => {
    if (seen.endsWith('ready\n')) kill('SIGTERM');
  });
  expect(code).toBe(0);
  expect(output).toMatch(/ready\n.*"reason":"SIGTERM".*\nlistener closed\ndatabase closed\n.*stopped/);
});

test('a second signal exits at once', async () => {
  const beganMs = performance.now();
  const { code } = await run('hang', (seen, kill) => {
    if (seen.endsWith('ready\n')) kill('SIGINT');
    // The same Ctrl-C once more, as npm passes it on, and then a second one.
    if (seen.includes('database closed')) {
      kill('SIGINT');
      setTimeout(() => kill('SIGINT'), SIGNAL_REPEAT_MS + 200);
    }
  });
  expect(code).toBe(1);
  expect(performance.now() - beganMs).toBeGreaterThan(SIGNAL_REPEAT_MS);
});

test('what nobody caught is logged as fatal and ends the process', async () => {
  const { code, output } = await run('throw', () => {});
  expect(code).toBe(1);
  expect(output).toMatch(/"level":"fatal".*a bug/);
});

test('a process whose supervisor was killed stops by itself, in order', async () => {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../../test/stoppable.ts', import.meta.url)), 'stay'],
    { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
  );
  let output = '';
  child.stdout?.on('data', (data) => {
    output += String(data);
    if (output.endsWith('ready\n')) child.disconnect();
  });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  expect({ code, output }).toEqual({
    code: 0,
    output: expect.stringMatching(/"reason":"the supervisor is gone".*\nlistener closed\ndatabase closed\n/),
  });
});

test('compiled code is kept while a process runs, so that the successor of one that is killed has it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-compiled-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../../test/stoppable.ts', import.meta.url)), 'stay'],
    { stdio: 'ignore', env: { ...process.env, NODE_COMPILE_CACHE: folder } },
  );
  const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  onTestFinished(() => void child.kill('SIGKILL'));
  const kept = () =>
    readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  await vi.waitUntil(() => kept().length > 0, { timeout: 100_000 });
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
});
