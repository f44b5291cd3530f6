import { jsonEvent, NO_STREAM, WrongExpectedVersionError } from '@eventstore/db-client';
import type { Runtime } from '../../runtime/runtime.ts';
import { type EventStoreDbConnection, refusalOf } from './client.ts';
import { asUuid, derivedId } from './derivedId.ts';
import type { EventStoreDbReads } from './reads.ts';
import { IDENTITY_STREAM } from './wire.ts';

/**
 * The id of the store, in a stream of its own. The process that opens the store first writes it, once. A copy of the events is
 * another store with another id, because its positions are different.
 */
export async function eventStoreDbIdentity(options: {
  connection: EventStoreDbConnection;
  reads: EventStoreDbReads;
  runtime: Runtime;
}): Promise<string> {
  const { connection, reads, runtime } = options;
  const read = async () => {
    const [first] = await reads.stream(IDENTITY_STREAM, 0, 1);
    if (!first) return null;
    const { storeId } = first.data as { storeId?: unknown };
    if (typeof storeId !== 'string' || !UUID.test(storeId)) {
      throw new Error(`the stream ${IDENTITY_STREAM} of this EventStoreDB does not hold the id of a store`);
    }
    return storeId;
  };
  const write = async () => {
    const storeId = asUuid(runtime.randomBytes(16), 4);
    const event = jsonEvent({ id: derivedId(storeId, '0'), type: 'StoreIdentified.v1', data: { storeId } });
    try {
      await connection.within(WRITE_LIMIT_MS, (client) =>
        client.appendToStream(IDENTITY_STREAM, event, { expectedRevision: NO_STREAM, requiresLeader: true }),
      );
    } catch (error) {
      // Another process was faster, or an earlier attempt, whose reply was lost, has written this event.
      if (!(error instanceof WrongExpectedVersionError)) throw refusalOf(error) ?? error;
    }
  };

  const existing = await read();
  if (existing) return existing;
  return reads.repeat(async () => {
    await write();
    const written = await read();
    if (!written) throw new Error('the store has no identity');
    return written;
  });
}

/** Milliseconds for the reply to the write. */
const WRITE_LIMIT_MS = 12_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
