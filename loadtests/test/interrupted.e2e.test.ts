import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { REPOSITORY } from '../src/config.ts';

test('a tool ends what it started and removes it, also where Ctrl-C comes twice, as npm passes it on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-interrupted-'));
  // Where the tests run as root, the database runs as another user, who must be able to enter the folder.
  chmodSync(folder, 0o755);
  const installation = pathToFileURL(join(REPOSITORY, 'loadtests/src/own/installation.ts'));
  const tool = `import { startInstallation } from '${installation}'; await startInstallation(); console.log('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', tool], {
    cwd: join(REPOSITORY, 'loadtests'),
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  child.kill('SIGINT');
  // A signal a moment later, during the stop, still counts as the same Ctrl-C.
  setTimeout(() => child.kill('SIGINT'), 50);
  expect(await closed).toEqual([130, null]);
  expect(readdirSync(folder).filter((name) => name.startsWith('brokerx-load-'))).toEqual([]);
  rmSync(folder, { recursive: true });
}, 180_000);
