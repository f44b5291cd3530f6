import { connect, createServer, type Socket } from 'node:net';
import type { Random } from '../random.ts';

/** A proxy to a server. It resets every connection at a random moment, without a close message. */
export type DroppingProxy = { url: string; dropped(): number; close(): Promise<void> };

export async function droppingProxy(
  to: string,
  { random, lifeMsMax }: { random: Random; lifeMsMax: number },
): Promise<DroppingProxy> {
  const { hostname, port } = new URL(to);
  const sockets = new Set<Socket>();
  let dropped = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const cut = () => {
      clearTimeout(timer);
      for (const socket of [client, upstream]) {
        sockets.delete(socket);
        socket.destroy();
      }
    };
    const timer = setTimeout(() => {
      dropped += 1;
      client.resetAndDestroy();
      cut();
    }, 1 + random.below(lifeMsMax));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', cut).on('close', cut);
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: proxyPort } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${proxyPort}`,
    dropped: () => dropped,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
