import { createServer } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';

/** A query-api of which a test decides what it answers, over real sockets. */
export type Asked = { id: number; method: string; params: Record<string, unknown> };

export async function scriptedServer(
  answer: (asked: Asked, socket: WebSocket) => object | null | Promise<object | null>,
) {
  const http = createServer();
  const server = new WebSocketServer({ server: http, path: '/v1/ws' });
  const asked: Asked[] = [];
  const sockets: WebSocket[] = [];
  let wake: (() => void)[] = [];
  server.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('message', async (data) => {
      const request = JSON.parse(String(data)) as Asked;
      asked.push(request);
      const reply = await answer(request, socket);
      if (reply) socket.send(JSON.stringify({ type: 'reply', id: request.id, ...reply }));
      for (const go of wake.splice(0)) go();
    });
    for (const go of wake.splice(0)) go();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    sockets,
    say: (message: object) => sockets.at(-1)?.send(JSON.stringify(message)),
    async until(condition: () => boolean): Promise<void> {
      while (!condition()) {
        await new Promise<void>((resolve) => {
          wake.push(resolve);
        });
      }
    },
    async close() {
      wake = [];
      for (const socket of sockets) socket.terminate();
      server.close();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
