import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { REPOSITORY } from '../src/config.ts';

/** Starts a process that speaks EventStoreDB's protocol and keeps its log in memory, as the store of an installation. */
export async function startEventStoreDb(): Promise<{ url: string; stop(): void }> {
  const child: ChildProcess = spawn(
    process.execPath,
    [join(REPOSITORY, 'infra/test/eventStoreDbServerMain.ts')],
    { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
  );
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (data) => resolve(String(data)));
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
  });
  const { url } = JSON.parse(line) as { url: string };
  return { url, stop: () => void child.kill('SIGTERM') };
}
