import { Agent, type IncomingMessage, request } from 'node:http';
import type { NastyRequest } from './nastyInput.ts';

/** Requests at a time, each on a connection of its own: enough to keep both sides busy. */
export const AT_ONCE = 12;
/** The time-out of an answer. A stream is left as soon as it has begun. */
const PATIENCE_MS = 60_000;

export type Answer = { status: number; type: string; text: string };
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });

/** Sends a request as it is. */
export function ask(
  base: string,
  { method, path, headers, body }: NastyRequest,
  token: string | null,
): Promise<Answer> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const outgoing = request(
      {
        agent,
        hostname,
        port,
        method,
        path,
        headers: { ...authorization, ...json, ...headers },
        timeout: PATIENCE_MS,
      },
      (reply: IncomingMessage) => {
        const { statusCode: status = 0 } = reply;
        const type = reply.headers['content-type'] ?? '';
        let text = '';
        const done = () => resolve({ status, type, text });
        if (status < 400) {
          // The reply may be an endless stream.
          reply.destroy();
          return done();
        }
        reply.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        reply.once('end', done).once('error', reject);
      },
    );
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

/** The fault of an answer; undefined if it has none. */
export function faultOf({ status, type, text }: Answer): string | undefined {
  if (status >= 500 && status !== 503) return `${status} ${text}`;
  if (status < 400) return undefined;
  if (!type.startsWith('application/problem+json')) return `${status} is no problem+json: ${type} ${text}`;
  const { code } = JSON.parse(text) as { code?: unknown };
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code)
    ? undefined
    : `${status} has no code: ${text}`;
}
