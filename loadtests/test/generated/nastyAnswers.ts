import { Agent, type IncomingMessage, request } from 'node:http';
import type { NastyRequest } from './nastyInput.ts';

/** Enough to keep both sides busy; each on a connection of its own. */
export const AT_ONCE = 12;
/** For one answer; a stream that has begun is left at once. */
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
    const asked = request(
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
          // It may never end.
          reply.destroy();
          return done();
        }
        reply.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        reply.once('end', done).once('error', reject);
      },
    );
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    asked.once('error', reject);
    asked.end(body);
  });
}

/** What is wrong with an answer; undefined: nothing. */
export function faultOf({ status, type, text }: Answer): string | undefined {
  if (status >= 500 && status !== 503) return `${status} ${text}`;
  if (status < 400) return undefined;
  if (!type.startsWith('application/problem+json')) return `${status} is no problem+json: ${type} ${text}`;
  const { code } = JSON.parse(text) as { code?: unknown };
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code)
    ? undefined
    : `${status} has no code: ${text}`;
}
