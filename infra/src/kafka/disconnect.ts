import { mayFail } from '../runtime/mayFail.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { withinTime } from '../runtime/waiting.ts';

/** Disconnects within a bounded time: kafkajs would wait for every pending reply, even from a broker that hangs. */
export async function disconnect(client: { disconnect(): Promise<void> }, runtime: Runtime): Promise<void> {
  const disconnecting = mayFail(client.disconnect(), 'the connection is given up either way');
  await withinTime(runtime, DISCONNECT_MS, disconnecting, () => undefined);
}

/** Milliseconds for an orderly disconnect. */
const DISCONNECT_MS = 2_000;
