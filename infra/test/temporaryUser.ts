import { createLog } from '../src/log.ts';
import { startTemporaryPostgres } from '../src/temporaryPostgres.ts';

/** Starts a temporary database, says where, and waits to be killed. */
const { pid, folder } = await startTemporaryPostgres(createLog({ name: 'temporary-user', level: 'silent' }));
process.stdout.write(`${JSON.stringify({ pid, folder })}\n`);
setInterval(() => {}, 60_000);
