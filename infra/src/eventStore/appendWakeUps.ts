import { type Listener, listen } from '../postgres/postgres.ts';
import type { Log } from '../runtime/log.ts';
import type { Runtime } from '../runtime/runtime.ts';

/**
 * Wakes readers as soon as anything was appended: by this process, or by another one, which PostgreSQL announces (NOTIFY).
 * In case a notification is lost, it also reads the head once a second. Without listeners it does nothing.
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

  const knownHead = trackHead(() => {
    for (const listener of listeners) queueMicrotask(listener);
  });
  const look = async () => {
    try {
      knownHead.read(await readHead());
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
      onNotify: (payload) => knownHead.announced(Number(payload)),
      onConnected: () => void look(),
      log,
    });
    poll();
  };

  return {
    advanced: knownHead.advanced,
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
 * Follows the head and wakes the readers once for each advance: this process's own appends are announced a second time by
 * PostgreSQL. An announced position is only a hint until the head is read, because every user of the database may notify:
 * a false one must not hide later appends.
 */
function trackHead(wake: () => void) {
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

/** Milliseconds by which a lost notification delays a reader, at most; reading the head costs one index entry. */
const SAFETY_POLL_MS = 1_000;
