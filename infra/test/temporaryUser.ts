import { createLog } from '../src/runtime/log.ts';
import { startTemporaryPostgres } from '../src/servers/temporaryPostgres.ts';
import { startTemporaryRedis } from '../src/servers/temporaryRedis.ts';

/** Starts a temporary server, says where, and waits to be killed. */
const log = createLog({ name: 'temporary-user', level: 'silent' });
const server = process.argv[2] === 'redis' ? await startTemporaryRedis() : await startTemporaryPostgres(log);
const pid = typeof server.pid === 'function' ? server.pid() : server.pid;
process.stdout.write(`${JSON.stringify({ pid, folder: server.folder })}\n`);
setInterval(() => {}, 60_000);
