import { connect, type Socket } from 'node:net';
import { errorsHeardElsewhere } from '@brokerx/client';

/**
 * One keep-alive connection with one request in flight. It speaks just enough HTTP/1.1 for replies of BrokerX: generator
 * and system share the processors, and a request through a client library costs three times as much.
 */
export type HttpConnection = {
  /** Sends a whole request, of ASCII characters. The connection is free again when `done` is called. */
  send(request: string, done: Done): void;
  /** When the request in flight was sent; undefined: the connection is free. */
  sentMs(): number | undefined;
  /** Since when it is free. */
  idleSinceMs(): number;
  isOpen(): boolean;
  /** A request in flight ends with status 0 and this reason. */
  destroy(reason?: string): void;
};

/** `status` 0: no reply came, and `text` says why. The head is in lower case; the text is the body's bytes as Latin-1. */
export type Done = (status: number, head: string, text: string) => void;

const HEAD_END = '\r\n\r\n';
/** No reply of BrokerX to a request of a load is larger. */
const REPLY_CHARACTERS_MAX = 8 * 1024 * 1024;

export function httpConnection(host: string, port: number): HttpConnection {
  const socket: Socket = errorsHeardElsewhere(connect({ host, port, noDelay: true }));
  let waiting: Done | undefined;
  let sentMs: number | undefined;
  let idleSinceMs = performance.now();
  let open = true;
  let rest = '';
  const finish = (status: number, head: string, text: string) => {
    const done = waiting;
    waiting = undefined;
    sentMs = undefined;
    idleSinceMs = performance.now();
    done?.(status, head, text);
  };
  socket.on('data', (chunk: Buffer) => {
    rest = rest === '' ? chunk.toString('latin1') : rest + chunk.toString('latin1');
    const reply = wholeReply(rest);
    if (reply === undefined) {
      if (rest.length > REPLY_CHARACTERS_MAX) socket.destroy(new Error('a reply of more than 8 MiB'));
      return;
    }
    rest = '';
    if (reply.closes) {
      open = false;
      socket.end();
    }
    finish(reply.status, reply.head, reply.text);
  });
  let failure = 'the connection was closed';
  socket.once('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? error.message;
  });
  socket.once('close', () => {
    open = false;
    finish(0, '', failure);
  });
  return {
    send(request, done) {
      waiting = done;
      sentMs = performance.now();
      socket.write(request, 'latin1');
    },
    sentMs: () => sentMs,
    idleSinceMs: () => idleSinceMs,
    isOpen: () => open,
    destroy(reason) {
      failure = reason ?? failure;
      open = false;
      socket.destroy();
    },
  };
}

type WholeReply = { status: number; head: string; text: string; closes: boolean };

/** The reply at the beginning of `received`, as soon as all of it is there. */
export function wholeReply(received: string): WholeReply | undefined {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd === -1) return undefined;
  const head = received.slice(0, headEnd).toLowerCase();
  const status = Number(head.slice(9, 12));
  // An interim reply: the real one follows.
  if (status < 200) return wholeReply(received.slice(headEnd + HEAD_END.length));
  const closes = head.includes('\r\nconnection: close');
  const begin = headEnd + HEAD_END.length;
  if (status === 204 || status === 304) return { status, head, text: '', closes };
  if (head.includes('\r\ntransfer-encoding: chunked')) {
    const text = unchunked(received, begin);
    return text === undefined ? undefined : { status, head, text, closes };
  }
  const length = Number(headerOf(head, 'content-length') ?? 0);
  if (received.length < begin + length) return undefined;
  return { status, head, text: received.slice(begin, begin + length), closes };
}

/** The value of a header in a head in lower case. */
export function headerOf(head: string, name: string): string | undefined {
  const at = head.indexOf(`\r\n${name}: `);
  if (at === -1) return undefined;
  const begin = at + name.length + 4;
  const end = head.indexOf('\r\n', begin);
  return head.slice(begin, end === -1 ? undefined : end);
}

function unchunked(received: string, begin: number): string | undefined {
  let text = '';
  for (let at = begin; ; ) {
    const lineEnd = received.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(received.slice(at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (received.length < next) return undefined;
    if (size === 0) return text;
    text += received.slice(lineEnd + 2, lineEnd + 2 + size);
    at = next;
  }
}
