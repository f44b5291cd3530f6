import { join, resolve } from 'node:path';
import { createLog } from '@brokerx/infra/runtime/log.ts';
import { startInstallation } from '../src/supervise/installation.ts';
import type { ServiceSpec } from '../src/supervise/serviceProcess.ts';

/** `startInstallation` with services of the test's own, `NAMES` as `a,b:mode`; prints the status when ready. */
const [dataDir = '', names = '', commandPort = '', queryPort = ''] = process.argv.slice(2);
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
const log = createLog({
  name: 'fake',
  level: 'warn',
  destination: { write: (line: string) => process.stderr.write(line) },
});
try {
  const installation = await startInstallation({
    dataDir,
    root: '',
    ports: commandPort ? { command: Number(commandPort), query: Number(queryPort) } : 'free',
    mode: 'development',
    traders: false,
    env: process.env,
    log,
    onLine: (service, line) => process.stderr.write(`${service}| ${line}\n`),
    signal: stop.signal,
    services: ({ env }) =>
      names.split(',').map((entry): ServiceSpec => {
        const [name = '', mode = ''] = entry.split(':');
        const own = { NAME: name, MODE: mode, NOTES: join(dataDir, 'notes'), PATH: env.PATH ?? '' };
        return { name, script: resolve(import.meta.dirname, 'fakeService.ts'), env: own, port: 'free' };
      }),
  });
  process.stdout.write(`${JSON.stringify(installation.status)}\n`);
  if (!stop.signal.aborted)
    await new Promise((done) => stop.signal.addEventListener('abort', done, { once: true }));
  await installation.stop();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
