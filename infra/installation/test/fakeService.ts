import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { startSignal, WAITS_FOR_SIGNAL } from '@brokerx/infra/runtime/startSignal.ts';

/**
 * A service as the supervisor sees one: says that it is ready, receives the start signal, stops when asked, and notes all
 * in a file. `MODE`:
 * `stubborn` does not heed SIGTERM, `broken` ends at once, `misconfigured` ends with exit code 2.
 */
const { NAME = '', NOTES = '', MODE = '', HEALTH_PORT = '0', BROKERX_OPENING } = process.env;
const note = (what: string) => appendFileSync(NOTES, `${NAME} ${what}\n`);
if (MODE === 'broken') process.exit(3);
if (MODE === 'misconfigured') {
  process.stderr.write('SOME_VARIABLE: is not set\n');
  process.exit(2);
}
note('started');
const setting = BROKERX_OPENING === WAITS_FOR_SIGNAL ? WAITS_FOR_SIGNAL : undefined;
void startSignal(setting, new AbortController().signal).then(() => note('begins its work'));
process.on('SIGTERM', () => {
  if (MODE === 'stubborn') return;
  note('stopped');
  process.exit(0);
});
createServer((_request, response) => response.end('{}')).listen(Number(HEALTH_PORT), '127.0.0.1');
process.stdout.write(`${JSON.stringify({ level: 'info', service: NAME, msg: 'listening' })}\n`);
