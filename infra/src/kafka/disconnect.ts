import { mayFail } from '../runtime/mayFail.ts';
import { type Runtime, sleep } from '../runtime/runtime.ts';

/** kafkajs waits for every answer that is still to come, also from a broker that hangs. */
export async function disconnected(
  connected: { disconnect(): Promise<void> },
  runtime: Runtime,
): Promise<void> {
  const waiting = new AbortController();
  await Promise.race([
    mayFail(connected.disconnect(), 'it is given up either way'),
    sleep(runtime, DISCONNECT_MS, waiting.signal),
  ]);
  waiting.abort();
}

/** Milliseconds to say goodbye in order. */
const DISCONNECT_MS = 2_000;
