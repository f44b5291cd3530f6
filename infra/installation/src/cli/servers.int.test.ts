import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { mayFail } from '@brokerx/infra/runtime/mayFail.ts';
import { hasRedisServer } from '@brokerx/infra/servers/temporaryRedis.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';

/** `brokerx servers`: who uses them counts on both being there, whatever becomes of one. */
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'brokerx-servers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.runIf(hasRedisServer())(
  'one that was stopped is started again, however long that does not work, and nothing else ends',
  async () => {
    const real = execFileSync('which', ['redis-server'], { encoding: 'utf8' }).trim();
    const broken = join(folder, 'broken');
    const stand = join(folder, 'redis-server');
    writeFileSync(stand, `#!/bin/sh\n[ ! -e ${broken} ] || exit 1\nexec ${real} "$@"\n`);
    chmodSync(stand, 0o755);
    const statusFile = join(folder, 'status.json');
    const args = [join(import.meta.dirname, 'main.ts'), 'servers', '--redis', '--status-file', statusFile];
    const env = { PATH: `${folder}${delimiter}${process.env.PATH}` };
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => {
      said += String(text);
    });
    const ended = new Promise((done) => child.once('close', done));
    const pid = async () => {
      const text = await mayFail(
        Promise.resolve().then(() => readFileSync(statusFile, 'utf8')),
        'not there yet',
      );
      return text === undefined ? undefined : (JSON.parse(text) as { pids: { redis?: number } }).pids.redis;
    };
    const poll = { timeout: 60_000, interval: 20 };
    await expect.poll(pid, poll).toBeGreaterThan(0);
    const first = (await pid()) ?? 0;
    // As somebody does who stops it by hand.
    process.kill(first, 'SIGTERM');
    await expect.poll(pid, poll).not.toBeOneOf([first, undefined]);
    const second = (await pid()) ?? 0;
    writeFileSync(broken, '');
    process.kill(second, 'SIGTERM');
    await expect.poll(() => said, poll).toContain('it does not start; it is tried again and again');
    rmSync(broken);
    await expect.poll(pid, poll).not.toBeOneOf([second, undefined]);
    await expect.poll(() => said, poll).toContain('it runs again');
    expect(child.exitCode).toBeNull();
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  },
  120_000,
);
