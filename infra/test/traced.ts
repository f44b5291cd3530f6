import { createLog } from '../src/runtime/log.ts';
import { mayFail } from '../src/runtime/mayFail.ts';
import { startTelemetry } from '../src/runtime/telemetry.ts';

/** Two steps and a batch, traced; prints the traceparents that its events would carry. */
const caller = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const [endpoint] = process.argv.slice(2);
const telemetry = await startTelemetry({
  endpoint,
  service: 'traced',
  version: '1.2.3',
  instance: 'traced-1',
  log: createLog({ name: 'traced', level: 'silent' }),
});
const seen: string[] = [];
await telemetry.span('POST /v1/orders', { kind: 'server', traceparent: caller }, async (request) => {
  seen.push(request);
  await telemetry.span(
    'append',
    { kind: 'producer', traceparent: request, attributes: { stream: 'account-1' } },
    async (append) => {
      seen.push(append);
    },
  );
});
await telemetry.span('settle', { kind: 'consumer', links: [...seen, 'rubbish'] }, async () => {});
await mayFail(
  telemetry.span('fail', {}, async () => Promise.reject(new Error('no'))),
  'it is meant to',
);
await telemetry.stop();
process.stdout.write(JSON.stringify({ seen }));
process.exit(0);
