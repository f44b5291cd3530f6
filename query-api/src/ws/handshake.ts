import type { IncomingMessage } from 'node:http';
import { Problem } from '@brokerx/infra/http/problem.ts';

/** The handshake of a WebSocket (RFC 6455 §4.2.1): which requests become one, and the refusal of the others. */
export const SOCKET_PATH = '/v1/ws';

export const becomesSocket = (request: IncomingMessage): boolean =>
  request.method === 'GET' &&
  request.url?.split('?', 1)[0] === SOCKET_PATH &&
  handshakeRefusal(request) === null;

export function handshakeRefusal({ headers }: Pick<IncomingMessage, 'headers'>): Problem | null {
  const isUpgrade = headers.upgrade?.toLowerCase() === 'websocket';
  if (!isUpgrade) return UPGRADE_REQUIRED;
  if (!VERSIONS.includes(headers['sec-websocket-version'] ?? '')) return WRONG_VERSION;
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) {
    return badHandshake('Sec-WebSocket-Key must be 16 bytes in base64');
  }
  const protocols = headers['sec-websocket-protocol'];
  if (protocols !== undefined && !areProtocols(protocols)) {
    return badHandshake('Sec-WebSocket-Protocol must be names, each once, with commas between them');
  }
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody ? badHandshake('there must be no body') : null;
}

/** Also for a valid handshake on a connection that cannot switch, for example since it has requests to answer. */
export const UPGRADE_REQUIRED = new Problem({
  status: 426,
  code: 'UPGRADE_REQUIRED',
  title: 'This is a WebSocket: ask for the upgrade.',
  headers: { upgrade: 'websocket', connection: 'upgrade' },
});

/** The versions of the standard and of its last draft. */
const VERSIONS = ['13', '8'];
const WRONG_VERSION = new Problem({
  status: 426,
  code: 'UPGRADE_REQUIRED',
  title: 'This is a WebSocket: ask for the upgrade.',
  detail: 'Sec-WebSocket-Version must be 13',
  headers: { upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-version': VERSIONS.join(', ') },
});

const badHandshake = (detail: string) =>
  new Problem({ status: 400, code: 'BAD_REQUEST', title: 'The request was not understood.', detail });

const KEY = /^[+/0-9A-Za-z]{22}==$/;
const TOKEN = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/;

function areProtocols(text: string): boolean {
  const names = text.split(',').map((name) => name.trim());
  return names.every((name) => TOKEN.test(name)) && new Set(names).size === names.length;
}
