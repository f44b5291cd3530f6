import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { identify } from './processes.ts';

const jars = inject('kafkaJars') ?? '';

describe.runIf(jars !== '')('a broker to throw away', () => {
  test('goes with whoever made it, even when that one is killed', { timeout: 120_000 }, async () => {
    const script = fileURLToPath(new URL('../../test/kafkaOwner.ts', import.meta.url));
    const owner = spawn(process.execPath, [script, jars], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void owner.kill('SIGKILL'));
    const [line] = await once(owner.stdout, 'data');
    const { pid, folder } = JSON.parse(String(line)) as { pid: number; folder: string };
    expect(identify(pid)).not.toBeNull();
    expect(existsSync(folder)).toBe(true);
    owner.kill('SIGKILL');
    await expect.poll(() => identify(pid) === null && !existsSync(folder)).toBe(true);
  });
});
