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
  await expect(deployed('')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'SMTP_URL is not set, and production sends passcodes by mail: set it in ',
    ),
  });
});

test('settings that a service would refuse are refused before an image is looked for, all of them', async () => {
  const refused = deployed('SMTP_URL=mail\nSTREAMS_PER_ACCOUNT_MAX=0\nLOG_LEVEL=loud\n');
  await expect(refused).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /\.env: the configuration is not usable:\n +LOG_LEVEL: .+\n.+\n +SMTP_URL: .+\n.+\n +STREAMS_PER_ACCOUNT_MAX: .+\n.+\nEvery/,
    ),
  });
});

/** Makes a new file and adds these lines at its end. */
async function deployed(settings: string) {
  const file = join(folder, '.env');
  writeFileSync(file, newEnvFile({ servers: [], demo: false, network: '172.31.250' }) + settings);
  const args = [join(import.meta.dirname, 'main.ts'), 'deploy', '--tag', 'none', '--env-file', file];
  return promisify(execFile)(process.execPath, args, { env: { PATH: process.env.PATH } });
}
