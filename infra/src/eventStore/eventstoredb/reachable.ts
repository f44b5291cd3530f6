import { FINAL_FAULTS } from '../../runtime/connectionFault.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type EventStoreDbConnection, eventStoreDbConnection } from './client.ts';
import { eventStoreFault } from './fault.ts';
import { eventStoreDbReads } from './reads.ts';

/** Whether the server at the address answers and lets us read everything; throws why not, within some ten seconds. */
export async function reachEventStoreDb({ url, runtime }: { url: string; runtime: Runtime }): Promise<void> {
  const connection = eventStoreDbConnection({ url, runtime });
  // A certificate that was refused once is refused at every attempt.
  let isHopeless = false;
  const watched: EventStoreDbConnection = {
    ...connection,
    within: (limitMs, call) =>
      connection.within(limitMs, call).catch((error: unknown) => {
        isHopeless ||= FINAL_FAULTS.has(eventStoreFault(url, error).kind);
        throw error;
      }),
  };
  try {
    await eventStoreDbReads({ connection: watched, runtime, isClosed: () => isHopeless }).lastPosition();
  } finally {
    await connection.close();
  }
}
