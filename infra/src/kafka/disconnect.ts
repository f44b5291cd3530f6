import { mayFail } from '../runtime/mayFail.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { withinTime } from '../runtime/waiting.ts';

/** Disconnects, but not for ever: kafkajs would wait for every pending reply, even from a broker that hangs. */
export async function disconnected(
  connected: { disconnect(): Promise<void> },
  runtime: Runtime,
): Promise<void> {
  const disconnecting = mayFail(connected.disconnect(), 'the connection is given up either way');
  await withinTime(runtime, DISCONNECT_MS, disconnecting, () => undefined);
}

/** Milliseconds for an orderly disconnect. */
const DISCONNECT_MS = 2_000;
