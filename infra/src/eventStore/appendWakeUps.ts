import { type Listener, listen } from '../postgres/postgres.ts';
import type { Log } from '../runtime/log.ts';
import type { Runtime } from '../runtime/runtime.ts';

/**
 * Tells at once that something was appended: by this process, by another one (NOTIFY), or, should a
 * notification be lost, found by a look at the head once a second. Nobody listening costs nothing.
 */
export function appendWakeUps(options: {
  databaseUrl: string;
  runtime: Runtime;
  readHead: () => Promise<number>;
  log?: Log | undefined;
}) {
  const { databaseUrl, runtime, readHead, log } = options;
  const listeners = new Set<() => void>();
  let connection: Listener | null = null;
  let cancelPoll: (() => void) | null = null;
  let closed = false;

  const known = knownHead(() => {
    for (const listener of listeners) queueMicrotask(listener);
  });
  const look = async () => {
    try {
      known.read(await readHead());
    } catch (error) {
      if (!closed) log?.debug({ err: error }, 'the head could not be read; it is read again');
    }
  };
  const poll = () => {
    cancelPoll = runtime.setTimer(SAFETY_POLL_MS, async () => {
      await look();
      if (!closed) poll();
    });
  };
  const start = () => {
    connection = listen({
      databaseUrl,
      channel: 'brokerx_store',
      applicationName: 'brokerx listen',
      onNotify: (payload) => known.announced(Number(payload)),
      onConnected: () => void look(),
      log,
    });
    poll();
  };

  return {
    advanced: known.advanced,
    onAppend(listener: () => void): () => void {
      listeners.add(listener);
      if (!connection && !closed) start();
      return () => listeners.delete(listener);
    },
    async close(): Promise<void> {
      closed = true;
      listeners.clear();
      cancelPoll?.();
      await connection?.close();
    },
  };
}

/**
 * Where the head is, as far as it is known. One's own append arrives a second time as a notification: only what is new
 * wakes anybody. Anybody may notify, so what is announced and not there must not hide what comes after: it counts until
 * the next look.
 */
function knownHead(wake: () => void) {
  let head = 0;
  let hint = 0;
  const advanced = (position: number) => {
    const isNew = position > Math.max(head, hint);
    head = Math.max(head, position);
    if (isNew) wake();
  };
  return {
    advanced,
    announced(position: number): void {
      if (!(position > Math.max(head, hint))) return;
      hint = position;
      wake();
    },
    read(position: number): void {
      const wasThere = hint <= position;
      advanced(position);
      hint = 0;
      if (!wasThere) wake();
    },
  };
}

/** A lost notification delays a reader by this long at most; the look itself is one index entry. */
const SAFETY_POLL_MS = 1_000;
