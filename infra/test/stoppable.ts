import { setTimeout as delay } from 'node:timers/promises';
import { createLog } from '../src/runtime/log.ts';
import { createShutdown, runMain } from '../src/runtime/shutdown.ts';

/** A process with two closers; `hang` makes the first-opened one never close, `throw` makes it fail by itself. */
const [mode = ''] = process.argv.slice(2);
await runMain(async () => {
  const shutdown = createShutdown(createLog({ name: 'stoppable', level: 'info' }));
  shutdown.onShutdown('database', () => {
    process.stdout.write('database closed\n');
    return mode === 'hang' ? new Promise<void>(() => {}) : undefined;
  });
  shutdown.onShutdown('listener', async () => {
    await delay(10);
    process.stdout.write('listener closed\n');
  });
  setInterval(() => {}, 60_000);
  process.stdout.write('ready\n');
  if (mode === 'throw') setTimeout(() => Promise.reject(new Error('a bug')), 10);
});
