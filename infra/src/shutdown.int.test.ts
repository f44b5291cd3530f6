import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

async function run(mode: string, onOutput: (output: string, kill: (signal: NodeJS.Signals) => void) => void) {
  const child = spawn(process.execPath, [
    fileURLToPath(new URL('../test/stoppable.ts', import.meta.url)),
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
  const { code } = await run('hang', (seen, kill) => {
    if (seen.endsWith('ready\n') || seen.includes('database closed')) kill('SIGINT');
  });
  expect(code).toBe(1);
});

test('what nobody caught is logged as fatal and ends the process', async () => {
  const { code, output } = await run('throw', () => {});
  expect(code).toBe(1);
  expect(output).toMatch(/"level":"fatal".*a bug/);
});
