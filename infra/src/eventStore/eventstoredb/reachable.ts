import { FINAL_FAULTS } from '../../runtime/connectionFault.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type EventStoreDbConnection, eventStoreDbConnection } from './client.ts';
import { eventStoreFault } from './fault.ts';
import { eventStoreDbReads } from './reads.ts';

/** Checks that the server at the address answers and lets us read everything. Throws why not, within some ten seconds. */
export async function reachEventStoreDb({ url, runtime }: { url: string; runtime: Runtime }): Promise<void> {
  const connection = eventStoreDbConnection({ url, runtime });
  // A certificate that was refused once is refused at every attempt.
  let hasFinalFault = false;
  const watchedConnection: EventStoreDbConnection = {
    ...connection,
    within: (limitMs, call) =>
      connection.within(limitMs, call).catch((error: unknown) => {
        hasFinalFault ||= FINAL_FAULTS.has(eventStoreFault(url, error).kind);
        throw error;
      }),
  };
  try {
    await eventStoreDbReads({
      connection: watchedConnection,
      runtime,
      isClosed: () => hasFinalFault,
    }).lastPosition();
  } finally {
    await connection.close();
  }
}
