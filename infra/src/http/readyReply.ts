import { type ServerResponse, STATUS_CODES } from 'node:http';
import { PROBLEM_JSON, type Problem, problemBody } from './problem.ts';

/** A refusal that is made before it is needed, so that refusing costs next to nothing under overload. */
export type ReadyReply = {
  status: number;
  /** Names and values in turn, as `writeHead` takes them. */
  headers: string[];
  body: Buffer;
};

export function readyReply(problem: Problem): ReadyReply {
  const body = Buffer.from(JSON.stringify(problemBody(problem)));
  const headers = {
    'content-type': PROBLEM_JSON,
    'content-length': String(body.length),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...problem.headers,
  };
  return { status: problem.status, headers: Object.entries(headers).flat(), body };
}

export function sendReady(response: ServerResponse, { status, headers, body }: ReadyReply): void {
  response.writeHead(status, headers);
  response.end(body);
}

/** The reply as bytes, for a connection without a request, which is closed afterwards. */
export function closingBytes({ status, headers, body }: ReadyReply): Buffer {
  const lines = headers.reduce((text, part, index) => text + (index % 2 ? `${part}\r\n` : `${part}: `), '');
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}connection: close\r\n\r\n`),
    body,
  ]);
}
