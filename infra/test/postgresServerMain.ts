import { createLog } from '../src/runtime/log.ts';
import { startEmbeddedPostgres } from '../src/servers/embeddedPostgres.ts';

/** A small PostgreSQL in the folder that is given, as a process: tells where it is, and ends with whoever started it. */
const [dataRoot = ''] = process.argv.slice(2);
const server = await startEmbeddedPostgres({
  dataRoot,
  log: createLog({ name: 'postgres', level: 'fatal' }),
  syncNewData: false,
  settings: { shared_buffers: '32MB', min_wal_size: '32MB' },
});
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
for (const end of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.once(end, () => void server.stop());
process.channel?.unref();
