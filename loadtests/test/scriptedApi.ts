import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { errorsHeardElsewhere } from '@brokerx/client';

/** An HTTP server behind a gateway that misbehaves in ways that are rare for a real API. */
export type ScriptedApi = {
  /** `host:port` */
  address: string;
  /** The requests that it has received completely. */
  requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[];
  close(): Promise<void>;
};

/** An address where attempts to connect get no reply, as at a machine that is gone. */
export async function deafApi(): Promise<{ address: string; close(): Promise<void> }> {
  const listener = `require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {
    console.log(this.address().port);
  });`;
  const child = spawn(process.execPath, ['-e', listener], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve) => {
    child.stdout.once('data', (text: Buffer) => resolve(Number(text)));
  });
  child.kill('SIGSTOP');
  // The operating system queues a few connections of the stopped process, and then no more.
  const sockets = Array.from({ length: 4 }, () => errorsHeardElsewhere(connect(port, '127.0.0.1')));
  await delay(QUEUE_FILLS_MS);
  return {
    address: `127.0.0.1:${port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}

const QUEUE_FILLS_MS = 200;

type Script = (request: IncomingMessage, reply: ServerResponse) => void;

export async function scriptedApi(script: Script, options: { echoes?: boolean } = {}): Promise<ScriptedApi> {
  const requests: ScriptedApi['requests'] = [];
  const server = createServer((request, reply) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.once('end', () => {
      const { method = '', url = '', headers } = request;
      requests.push({ method, url, headers, body });
      script(request, reply);
    });
  });
  if (options.echoes) {
    server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      errorsHeardElsewhere(socket);
      socket.pipe(socket);
    });
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A script that answers everything with 200. */
export const says: (text: string) => Script = (text) => (_request, reply) => {
  reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ said: text }));
};

/** A script that resets the connection instead of a reply, as a process does that is killed meanwhile. */
export const goesAway: Script = (request) => request.socket.resetAndDestroy();
