import { createLog } from '../src/runtime/log.ts';
import { kafkaBroker } from '../src/servers/kafkaBroker.ts';

/** Starts a broker from the jars in the folder that is named, says where, and waits to be killed. */
const broker = await kafkaBroker({
  libs: process.argv[2] ?? '',
  log: createLog({ name: 'kafka-owner', level: 'silent' }),
});
await broker.start();
process.stdout.write(`${JSON.stringify({ pid: broker.pid(), folder: broker.folder })}\n`);
setInterval(() => {}, 60_000);
