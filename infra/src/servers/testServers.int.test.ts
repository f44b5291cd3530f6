import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { expect, test } from 'vitest';
import { identify } from './processes.ts';
import { hasRedisServer } from './temporaryRedis.ts';
import { freshDatabase } from './testServers.ts';

async function ask(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

test('each test has an empty database of its own, and it is gone once dropped', async () => {
  const [one, other] = await Promise.all([freshDatabase(), freshDatabase()]);
  await ask(one.url, 'create table mark (x int)');
  expect(await ask(other.url, `select to_regclass('mark') as mark`)).toEqual([{ mark: null }]);
  await one.drop();
  await other.drop();
  await expect(ask(one.url, 'select 1')).rejects.toThrow(/does not exist/);
});

test.for(['database', ...(hasRedisServer() ? ['redis'] : [])])(
  'a temporary %s goes with its user, even when that one is killed',
  async (kind) => {
    const script = fileURLToPath(new URL('../../test/temporaryUser.ts', import.meta.url));
    const user = spawn(process.execPath, [script, kind], { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise<string>((resolve) =>
      user.stdout.once('data', (data) => resolve(String(data))),
    );
    const { pid, folder } = JSON.parse(line) as { pid: number; folder: string };
    expect(identify(pid)).not.toBeNull();
    user.kill('SIGKILL');
    await expect.poll(() => identify(pid) === null && !existsSync(folder)).toBe(true);
  },
);
