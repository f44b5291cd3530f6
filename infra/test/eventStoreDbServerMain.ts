import { eventLog } from './eventStoreDbLog.ts';
import { startEventStoreDbServer } from './eventStoreDbServer.ts';

/**
 * The EventStoreDB of these tests as a process of its own: `eventStoreDbServerMain.ts [port] [file]`. Its log is kept in the
 * file, or else in memory alone. Says where it listens in one line of JSON, and runs until it is told to stop, or
 * whoever started it with a channel is gone.
 */
const [port = '0', file] = process.argv.slice(2);
const server = await startEventStoreDbServer({ port: Number(port), log: eventLog(file ? { file } : {}) });
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
for (const end of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.once(end, () => void server.stop());
process.channel?.unref();
