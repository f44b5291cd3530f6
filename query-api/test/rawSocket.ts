import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A client that says what it likes, byte by byte, and leaves as it likes. */
export type Manner = 'fin' | 'reset';

export async function rawSocket(url: string) {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect({ host: hostname, port: Number(port) });
  let heard = '';
  // However it ends, it is closed in the end.
  socket.on('error', (error) => {
    heard += `\n${error.message}`;
  });
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard += text;
  });
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  return {
    heard: () => heard,
    async send(bytes: string | Buffer): Promise<void> {
      await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
    },
    /** Resolves when something has been heard that fits. */
    async until(pattern: RegExp): Promise<void> {
      while (!pattern.test(heard)) {
        if (socket.closed) throw new Error(`closed after ${JSON.stringify(heard)}`);
        await Promise.race([once(socket, 'data'), closed]);
      }
    },
    async leave(manner: Manner): Promise<void> {
      if (manner === 'reset') socket.resetAndDestroy();
      else socket.destroy();
      await closed;
    },
  };
}
export type RawSocket = Awaited<ReturnType<typeof rawSocket>>;

/** The head of a request, whole. */
export const requestHead = (path: string, headers: Record<string, string> = {}): string =>
  [
    `GET ${path} HTTP/1.1`,
    'host: test',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '\r\n',
  ].join('\r\n');

export const HANDSHAKE = requestHead('/v1/ws', {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
});

/** A text frame of a client (RFC 6455 §5.2), with a mask of zeros. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const isLong = payload.length > 125;
  const head = Buffer.alloc(isLong ? 8 : 6);
  head[0] = 0x81;
  head[1] = 0x80 | (isLong ? 126 : payload.length);
  if (isLong) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}
