import { connect, createServer, type Socket } from 'node:net';
import type { Random } from '../random.ts';

/** A way to a server on which every connection is cut off, without a word, at a random moment. */
export type DroppingProxy = { url: string; dropped(): number; close(): Promise<void> };

export async function droppingProxy(
  to: string,
  { random, lifeMsMax }: { random: Random; lifeMsMax: number },
): Promise<DroppingProxy> {
  const { hostname, port } = new URL(to);
  const open = new Set<Socket>();
  let dropped = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const cut = () => {
      clearTimeout(timer);
      for (const socket of [client, upstream]) {
        open.delete(socket);
        socket.destroy();
      }
    };
    const timer = setTimeout(() => {
      dropped += 1;
      client.resetAndDestroy();
      cut();
    }, 1 + random.below(lifeMsMax));
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', cut).on('close', cut);
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${own}`,
    dropped: () => dropped,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
