import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** command-api as a process of its own, for tests that kill it: the same installation each time it is started. */
export type CommandApiProcess = { url: string; logged: string[]; kill(): Promise<void> };

const MAIN = resolve(import.meta.dirname, '../src/main.ts');

/** `aheadMs`: by so much the clock of its machine is ahead of ours. */
export function commandApiOf(
  variables: Record<string, string>,
): (given?: { aheadMs: number }) => Promise<CommandApiProcess> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const env = {
    PATH: process.env.PATH,
    BROKERX_MASTER_KEY: randomBytes(32).toString('base64'),
    AUTH_PRIVATE_JWK: JSON.stringify(privateKey.export({ format: 'jwk' })),
    COMMAND_API_PORT: '0',
    ...variables,
  };
  return async ({ aheadMs } = { aheadMs: 0 }) => {
    const clock = `const now = Date.now.bind(Date); Date.now = () => now() + ${aheadMs};`;
    const preload = `--import=data:text/javascript,${encodeURIComponent(clock)}`;
    const child = spawn(process.execPath, [preload, MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const logged: string[] = [];
    child.stderr.on('data', (text: Buffer) => logged.push(text.toString()));
    const url = await addressOf(child, logged);
    return {
      url,
      logged,
      async kill() {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      },
    };
  };
}

function addressOf(child: ChildProcess, logged: string[]): Promise<string> {
  const { promise, resolve: found, reject } = Promise.withResolvers<string>();
  child.once('exit', (code) => reject(new Error(`command-api ended with ${code}:\n${logged.join('\n')}`)));
  if (!child.stdout) throw new Error('command-api has no output');
  createInterface({ input: child.stdout }).on('line', (line) => {
    logged.push(line);
    const { msg, url } = JSON.parse(line) as { msg?: string; url?: string };
    if (msg === 'takes commands' && url) found(url);
  });
  return promise;
}
