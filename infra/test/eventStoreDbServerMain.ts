import { eventLog } from './eventStoreDbLog.ts';
import { startEventStoreDbServer } from './eventStoreDbServer.ts';

/**
 * The EventStoreDB of these tests as a process of its own: `eventStoreDbServerMain.ts [port] [file]`. Its log is kept in the
 * file, or else in memory alone. Says where it listens in one line of JSON, and runs until it is told to stop.
 */
const [port = '0', file] = process.argv.slice(2);
const server = await startEventStoreDbServer({ port: Number(port), log: eventLog(file ? { file } : {}) });
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
