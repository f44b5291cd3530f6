import { createLog } from '../src/runtime/log.ts';
import { startEmbeddedPostgres } from '../src/servers/embeddedPostgres.ts';

/** Runs the embedded server on the folder given until it is told to stop (SIGTERM) or killed. */
const [dataRoot = ''] = process.argv.slice(2);
const log = createLog({ name: 'postgres-owner', level: 'silent' });
const server = await startEmbeddedPostgres({ dataRoot, log, syncNewData: false });
process.once('SIGTERM', () => void server.stop());
process.stdout.write(`${JSON.stringify({ url: server.url, pid: server.pid })}\n`);
await server.exited;
