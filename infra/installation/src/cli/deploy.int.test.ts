import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newEnvFile } from '../deploy/newEnvFile.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'brokerx-deploy-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a deployment of production without a mail server is refused before an image is looked for', async () => {
  const file = join(folder, '.env');
  writeFileSync(file, newEnvFile({ servers: [], demo: false, network: '172.31.250' }));
  const brokerx = join(import.meta.dirname, 'main.ts');
  const args = [brokerx, 'deploy', '--tag', 'none', '--env-file', file];
  const ran = promisify(execFile)(process.execPath, args, { env: { PATH: process.env.PATH } });
  await expect(ran).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'SMTP_URL is not set, and production sends passcodes by mail: set it in ',
    ),
  });
});
