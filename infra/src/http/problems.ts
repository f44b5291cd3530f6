import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Log } from '../runtime/log.ts';
import { type FieldError, PROBLEM_JSON, Problem, problemBody } from './problem.ts';

/** Turns every failure of a request into a problem: ours, the framework's errors, and bugs. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { code = '', statusCode = 500, message } = error as Partial<FastifyError>;
  const problem = frameworkProblems[code];
  if (problem) return new Problem({ ...problem, cause: error });
  if (error instanceof SyntaxError && statusCode === 400)
    return new Problem({ ...malformedJson, cause: error });
  if (statusCode >= 400 && statusCode < 500) {
    const { code: kind, title } = problemsByStatus[statusCode] ?? {
      code: 'BAD_REQUEST',
      title: 'The request was not understood.',
    };
    return new Problem({
      status: statusCode,
      code: kind,
      title,
      ...(message ? { detail: message } : {}),
      cause: error,
    });
  }
  return new Problem({ ...internalError, cause: error });
}

/** Sends the error as a problem. A bug of ours is logged here, whole and once; the client gets the request id. */
export function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
): FastifyReply {
  const problem = toProblem(error);
  if (problem.status === 500) {
    const { method, routeOptions, id } = request;
    log.error({ err: error, request_id: id, method, route: routeOptions.url }, 'unexpected error');
  }
  const path = request.url.split('?', 1)[0];
  // Serialized here: the route's reply schemas do not describe problems.
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .type(PROBLEM_JSON)
    .serializer((text: string) => text)
    .send(JSON.stringify(problemBody(problem, path, request.id)));
}

export const routeNotFound = (request: FastifyRequest) =>
  new Problem({
    status: 404,
    code: 'ROUTE_NOT_FOUND',
    title: 'There is no such route.',
    detail: `${request.method} ${request.url.split('?', 1)[0]}: commands and queries are two APIs; see /docs of each.`,
  });

export type RequestPart = 'body' | 'querystring' | 'params' | 'headers';

const pointerRoots: Record<RequestPart, string> = {
  body: '#',
  querystring: '#/query',
  params: '#/path',
  headers: '#/headers',
};

/** The problem of a request that does not match its schema: one entry for each field and rule. */
export function invalidRequest(
  issues: readonly z.core.$ZodIssue[],
  part: RequestPart,
  value: unknown,
): Problem {
  const errors = issues.flatMap((issue): FieldError[] => {
    const pointerTo = (path: readonly PropertyKey[]) =>
      pointerRoots[part] +
      path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        pointer: pointerTo([...issue.path, key]),
        code: 'UNKNOWN_FIELD',
        detail: 'There is no such field.',
      }));
    }
    const isMissing = issue.code === 'invalid_type' && valueAt(value, issue.path) === undefined;
    const rule = issue.code === 'custom' ? 'INVALID_VALUE' : issue.code.toUpperCase();
    const code = isMissing ? 'REQUIRED' : rule;
    const detail = isMissing ? issue.message.replace(', received undefined', '') : issue.message;
    return [{ pointer: pointerTo(issue.path), code, detail }];
  });
  return new Problem({
    status: 400,
    code: 'INVALID_REQUEST',
    title: 'The request does not have the form that is expected.',
    errors,
  });
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value;
  for (const step of path) {
    if (current === null || typeof current !== 'object') return undefined;
    current = (current as Record<PropertyKey, unknown>)[step];
  }
  return current;
}

/** Replies on a connection whose bytes are not HTTP, come too slowly, or have too large a head: there is no request yet. */
export function answerBrokenConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const { code, title } = problemsByStatus[status] ?? {
    code: 'BAD_REQUEST',
    title: 'The request was not understood.',
  };
  const body = JSON.stringify(problemBody(new Problem({ status, code, title })));
  const head = `HTTP/1.1 ${status} ${code}\r\nContent-Type: ${PROBLEM_JSON}\r\nConnection: close`;
  socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  // A client may go on sending for ever: its connection is cut after this time.
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(linger));
}

/** Milliseconds in which a client that is still sending can read the reply: closing at once could destroy it. */
const LINGER_MS = 1_000;

export const malformedJson = { status: 400, code: 'MALFORMED_JSON', title: 'The body is not valid JSON.' };
export const unsupportedMediaType = {
  status: 415,
  code: 'UNSUPPORTED_MEDIA_TYPE',
  title: 'The body must be application/json.',
};
const internalError = {
  status: 500,
  code: 'INTERNAL_ERROR',
  title: 'Something went wrong on our side.',
  detail: 'Whether the request took effect is not known: repeat it with the same Idempotency-Key.',
};

const frameworkProblems: Readonly<Record<string, { status: number; code: string; title: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    status: 413,
    code: 'BODY_TOO_LARGE',
    title: 'The body is larger than is taken.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: unsupportedMediaType,
  FST_ERR_CTP_EMPTY_JSON_BODY: malformedJson,
  FST_ERR_CTP_INVALID_JSON_BODY: malformedJson,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    status: 400,
    code: 'BAD_REQUEST',
    title: 'The body is not as long as its Content-Length says.',
  },
  FST_ERR_BAD_URL: { status: 400, code: 'BAD_REQUEST', title: 'The URL is not well formed.' },
  FST_ERR_MAX_PARAM_LENGTH: { status: 414, code: 'URI_TOO_LONG', title: 'A part of the URL is too long.' },
};

const problemsByStatus: Readonly<Record<number, { code: string; title: string }>> = {
  400: { code: 'BAD_REQUEST', title: 'The request was not understood.' },
  401: { code: 'UNAUTHENTICATED', title: 'A valid bearer token is needed.' },
  403: { code: 'FORBIDDEN', title: 'This sign-in may not do that.' },
  404: { code: 'NOT_FOUND', title: 'There is no such thing.' },
  405: { code: 'METHOD_NOT_ALLOWED', title: 'The route does not take this method.' },
  406: { code: 'NOT_ACCEPTABLE', title: 'None of the accepted media types can be sent.' },
  408: { code: 'REQUEST_TIMEOUT', title: 'The request took too long to arrive.' },
  413: { code: 'BODY_TOO_LARGE', title: 'The body is larger than is taken.' },
  414: { code: 'URI_TOO_LONG', title: 'The URL is too long.' },
  415: { code: 'UNSUPPORTED_MEDIA_TYPE', title: 'The body must be application/json.' },
  429: { code: 'RATE_LIMITED', title: 'Too many requests; wait for Retry-After seconds.' },
  431: { code: 'HEADERS_TOO_LARGE', title: 'The request headers are too large.' },
};
