import type { Place, Runtime } from '@brokerx/infra';
import { refused } from '../http/problems.ts';
import { QUERY_BOUNDS } from '../reading/bounds.ts';
import { type Client, clientQuotas, fullDetail, type QuotaBounds } from '../reading/clientQuotas.ts';
import { type EventStream, eventStream } from './sse.ts';

/** All event streams of this process: bounds their number, sends their heartbeat, and ends them together. */
export type OpenStreams = {
  /** Opens a stream for this client; throws a refusal where there is no room. */
  open(client: Client): EventStream;
  count(): number;
  /** Ends all streams with `server_shutdown`, and opens no more. */
  close(): void;
};

/** Milliseconds: below the half minute after which proxies drop a silent connection. */
export const HEARTBEAT_MS = 15_000;

export function openStreams(options: {
  runtime: Runtime;
  bounds?: QuotaBounds;
  bufferBytesMax?: number | undefined;
}): OpenStreams {
  const { runtime, bounds = QUERY_BOUNDS.streams } = options;
  const streams = new Set<EventStream>();
  const places = clientQuotas(bounds);
  let cancelHeartbeat: (() => void) | null = null;
  let closed = false;

  const beat = () => {
    cancelHeartbeat = runtime.setTimer(HEARTBEAT_MS, () => {
      for (const stream of streams) stream.beat();
      beat();
    });
  };
  const leave = (stream: EventStream, place: Place) => {
    streams.delete(stream);
    place.leave();
    if (streams.size > 0) return;
    cancelHeartbeat?.();
    cancelHeartbeat = null;
  };

  return {
    open(client) {
      if (closed) throw refused('UNAVAILABLE', 'the server stops: connect again');
      const place = places.take(client);
      if (typeof place === 'string') {
        const code = place === 'FULL' ? 'OVERLOADED' : 'TOO_MANY_STREAMS';
        throw refused(code, fullDetail('event streams', place, bounds));
      }
      const stream = eventStream(options);
      streams.add(stream);
      if (!cancelHeartbeat) beat();
      stream.ended.addEventListener('abort', () => leave(stream, place), { once: true });
      return stream;
    },
    count: () => streams.size,
    close() {
      closed = true;
      for (const stream of streams) stream.end('server_shutdown');
    },
  };
}
