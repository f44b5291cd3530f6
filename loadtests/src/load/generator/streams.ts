import { connect, type Socket } from 'node:net';
import { errorsHeardElsewhere } from '@brokerx/client';

/** Readers of a public stream: followers take all that comes, slow clients open it and then read nothing. */
export type Streams = { slowOpen(): number; close(): void };

const REOPEN_MS = 1_000;

export function streams(options: {
  queryUrl: string;
  /** What each of them follows. */
  followers: readonly string[];
  slow: readonly string[];
  took(bytes: number): void;
}): Streams {
  const { hostname, port, host } = new URL(options.queryUrl);
  const all = new Set<Socket>();
  let slowOpen = 0;
  let isClosed = false;
  const open = (symbol: string, isSlow: boolean) => {
    const socket = errorsHeardElsewhere(connect({ host: hostname, port: Number(port) }));
    all.add(socket);
    socket.write(
      `GET /v1/streams/symbols/${symbol}/depth HTTP/1.1\r\nhost: ${host}\r\naccept: text/event-stream\r\n\r\n`,
    );
    if (isSlow) {
      slowOpen += 1;
      socket.pause();
    } else {
      socket.on('data', (chunk: Buffer) => options.took(chunk.length));
    }
    socket.once('close', () => {
      all.delete(socket);
      // Those that we close were open to the end.
      if (isClosed) return;
      if (isSlow) slowOpen -= 1;
      setTimeout(() => open(symbol, isSlow), REOPEN_MS).unref();
    });
  };
  for (const symbol of options.followers) open(symbol, false);
  for (const symbol of options.slow) open(symbol, true);
  return {
    slowOpen: () => slowOpen,
    close() {
      isClosed = true;
      for (const socket of all) socket.destroy();
    },
  };
}
