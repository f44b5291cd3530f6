import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Api, brokerApi } from '@brokerx/client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { REPOSITORY } from '../src/config.ts';
import { operatorOf } from '../src/operator.ts';
import { type Installation, startInstallation } from '../src/own/installation.ts';
import { type Person, registerMany } from '../src/people.ts';

/** Runs what README and docs tell a reader to type. */
const run = promisify(execFile);
vi.setConfig({ testTimeout: 180_000 });

let installation: Installation;
let api: Api;
let alice: Person;
beforeAll(async () => {
  installation = await startInstallation();
  api = brokerApi(installation.status);
  const { operatorEmail, operatorPassword } = installation.status;
  const operator = await operatorOf(api, operatorEmail, operatorPassword);
  [alice] = (await registerMany(api, 'documented', 1)) as [Person];
  await operator.list({ symbol: 'ACME', name: 'Acme Corporation', listingCents: 1_000 });
  await operator.giveCash(alice.accountId, 500_000);
}, 180_000);
afterAll(async () => {
  await api?.close();
  await installation?.stop();
}, 60_000);

const page = (name: string) => readFileSync(join(REPOSITORY, name), 'utf8');

test('the program of docs/market-data.md is sound, and runs from a folder of the repository', async () => {
  const [, program = ''] = /^```ts\n(import [^`]+)```$/m.exec(page('docs/market-data.md')) ?? [];
  mkdirSync(join(REPOSITORY, '.brokerx'), { recursive: true });
  const folder = mkdtempSync(join(REPOSITORY, '.brokerx/program-'));
  try {
    writeFileSync(join(folder, 'program.ts'), program);
    const config = { extends: join(REPOSITORY, 'tsconfig.json'), include: ['program.ts'], exclude: [] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const launch = join(REPOSITORY, 'infra/launch.mjs');
    await run(process.execPath, [launch, 'tsc', '--noEmit', '-p', folder]);
    const { commandUrl: COMMANDS, queryUrl: QUERIES } = installation.status;
    const { email: EMAIL, password: PASSWORD } = alice;
    const env = { ...process.env, COMMANDS, QUERIES, EMAIL, PASSWORD };
    const child = spawn(process.execPath, [launch, join(folder, 'program.ts')], { env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += String(chunk);
      });
    }
    // The program prints all three: the outcome, the client's own channel, and the book.
    await expect.poll(() => output).toMatch(/^ok \{/m);
    await expect.poll(() => output).toMatch(/^mine order_placed/m);
    await expect.poll(() => output).toMatch(/^book \[.*10\.10/ms);
    child.kill('SIGINT');
    await once(child, 'close');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what the README kills is the engine of this installation alone', async () => {
  const command = /^kill -9 \$\(.+\)$/m.exec(page('README.md'))?.[0] ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-documented-'));
  symlinkSync(installation.dataDir, join(folder, '.brokerx'));
  try {
    const before = installation.pids();
    execFileSync('/bin/sh', ['-c', command], { cwd: folder });
    await expect
      .poll(() => installation.pids()['matching-engine'] ?? before['matching-engine'])
      .not.toBe(before['matching-engine']);
    const { 'matching-engine': _, ...others } = before;
    expect(installation.pids()).toMatchObject(others);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('where another answer comes than the README reckons with, it is shown, without a stack trace', async () => {
  const field = /^field\(\) \{[^}]+\}[^]*?"; \}$/m.exec(page('README.md'))?.[0] ?? '';
  const shell = (reply: string, asked: string) =>
    run('/bin/bash', ['-c', `${field}\nprintf '%s' "$1" | field "$2"`, 'bash', reply, asked]);
  expect(await shell('{"id":"7"}', 'id')).toEqual({ stdout: '7\n', stderr: '' });
  const inbox = JSON.stringify({ items: [{ text: 'Your passcode is 123456.' }] });
  expect((await shell(inbox, 'items[0].text.match(/\\d{6}/)[0]')).stdout).toBe('123456\n');
  const refusal = '{"code":"EMAIL_TAKEN"}';
  for (const asked of ['id', 'items[0].text']) {
    expect(await shell(refusal, asked)).toEqual({
      stdout: '',
      stderr: `instead of ${asked} came: ${refusal}\n`,
    });
  }
});
