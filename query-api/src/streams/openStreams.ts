import type { Runtime } from '@brokerx/infra';
import { type EventStream, eventStream } from './sse.ts';

/** All event streams of this process: how many there may be, their heartbeat, and their common end. */
export type OpenStreams = {
  /** A new stream for this client (a client's id, or an address), or why there is none. */
  open(client: string): EventStream | 'OVERLOADED' | 'TOO_MANY_STREAMS';
  count(): number;
  /** Ends all of them with `server_shutdown`; no others are opened. */
  close(): void;
};

/** Each costs some 50 KB and a socket. */
export const STREAMS_MAX = 1_000;
/** A trader's screen has a handful; a few machines behind one address have a hundred. */
export const STREAMS_PER_CLIENT_MAX = 100;
/** Milliseconds: below the half minute after which proxies drop a silent connection. */
export const HEARTBEAT_MS = 15_000;

export function openStreams(options: {
  runtime: Runtime;
  streamsMax?: number;
  streamsPerClientMax?: number;
  bufferBytesMax?: number | undefined;
}): OpenStreams {
  const { runtime, streamsMax = STREAMS_MAX, streamsPerClientMax = STREAMS_PER_CLIENT_MAX } = options;
  const streams = new Set<EventStream>();
  const perClient = new Map<string, number>();
  let cancelHeartbeat: (() => void) | null = null;
  let closed = false;

  const beat = () => {
    cancelHeartbeat = runtime.setTimer(HEARTBEAT_MS, () => {
      for (const stream of streams) stream.beat();
      beat();
    });
  };
  const leave = (stream: EventStream, client: string) => {
    streams.delete(stream);
    const left = (perClient.get(client) ?? 1) - 1;
    if (left === 0) perClient.delete(client);
    else perClient.set(client, left);
    if (streams.size > 0) return;
    cancelHeartbeat?.();
    cancelHeartbeat = null;
  };

  return {
    open(client) {
      if (closed || streams.size >= streamsMax) return 'OVERLOADED';
      const own = perClient.get(client) ?? 0;
      if (own >= streamsPerClientMax) return 'TOO_MANY_STREAMS';
      const stream = eventStream(options);
      streams.add(stream);
      perClient.set(client, own + 1);
      if (!cancelHeartbeat) beat();
      stream.ended.addEventListener('abort', () => leave(stream, client), { once: true });
      return stream;
    },
    count: () => streams.size,
    close() {
      closed = true;
      for (const stream of streams) stream.end('server_shutdown');
    },
  };
}
