import { startEventStoreDbServer } from './eventStoreDbServer.ts';

/**
 * The EventStoreDB of these tests as a process of its own, its log in memory: `eventStoreDbServerMain.ts [port]`. Says
 * where it listens in one line of JSON, and runs until it is told to stop.
 */
const [port = '0'] = process.argv.slice(2);
const server = await startEventStoreDbServer({ port: Number(port) });
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
