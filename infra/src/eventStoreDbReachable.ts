import { eventStoreDbConnection } from './eventStoreDbClient.ts';
import { eventStoreDbReads } from './eventStoreDbReads.ts';
import type { Runtime } from './runtime.ts';

/** Whether the server at the address answers and lets us read everything; throws why not, within some ten seconds. */
export async function reachEventStoreDb({ url, runtime }: { url: string; runtime: Runtime }): Promise<void> {
  const connection = eventStoreDbConnection({ url, runtime });
  try {
    await eventStoreDbReads({ connection, runtime, isClosed: () => false }).lastPosition();
  } finally {
    await connection.close();
  }
}
