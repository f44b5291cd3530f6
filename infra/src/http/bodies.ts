import { isUtf8 } from 'node:buffer';
import { errorCodes, type FastifyRequest, type RouteOptions } from 'fastify';
import { z } from 'zod';
import type { Http } from './instance.ts';
import { Problem } from './problem.ts';
import { invalidRequest, malformedJson, unsupportedMediaType } from './problems.ts';

/**
 * Bodies of requests. An empty body is no body, whatever its kind: clients name the kind that they would have sent although
 * they send none (axios, fetch and curl each another one). What no schema looks at is not passed over: it is refused, so
 * that nobody believes that it counted.
 */
export function takeJsonAlone(app: Http): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser(['text/plain', 'application/json']);
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    // A decoder would put other characters in place of those bytes, and nobody would hear of it.
    if (!isUtf8(body)) return done(new Problem({ ...malformedJson, detail: 'It is not UTF-8.' }));
    const text = body.toString();
    return parse(request, text, (error, value) => done(error && (poisonIn(text) ?? error), value));
  });
  // Whether there is a body of unknown length shows at its first byte or at its end.
  app.addContentTypeParser('*', (request, payload, done) => {
    if (request.is404) return done(null);
    const settle = (error: Error | null) => {
      payload.off('data', refuse).off('end', pass).off('error', settle);
      done(error);
    };
    const refuse = () => settle(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE());
    const pass = () => settle(null);
    payload.on('data', refuse).on('end', pass).on('error', settle);
  });
  // The framework looks at the kind first, and refuses what is no kind at all.
  app.addHook('onRequest', ({ raw: { headers } }, _reply, done) => {
    const length = headers['content-length'] ?? '0';
    const isEmpty = headers['transfer-encoding'] === undefined && Number(length) === 0;
    if (isEmpty || headers['content-type'] === '') delete headers['content-type'];
    const coding = headers['content-encoding'] ?? 'identity';
    if (isEmpty || coding.toLowerCase() === 'identity') return done();
    const detail = 'A body with a Content-Encoding is not decoded: send it as it is.';
    done(new Problem({ ...unsupportedMediaType, detail }));
  });
}

/** The parser refuses keys that could change what all objects inherit. They are unknown fields, and told as such. */
function poisonIn(text: string): Problem | undefined {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return undefined;
  }
  const unread: { path: string[]; value: unknown }[] = [{ path: [], value: root }];
  for (let next = unread.pop(); next; next = unread.pop()) {
    const { path, value } = next;
    if (value === null || typeof value !== 'object') continue;
    for (const [key, inner] of Object.entries(value)) {
      const isPoison =
        key === '__proto__' || (key === 'constructor' && Object.hasOwn(Object(inner), 'prototype'));
      if (isPoison)
        return invalidRequest([{ code: 'unrecognized_keys', keys: [key], path, message: '' }], 'body', root);
      unread.push({ path: [...path, key], value: inner });
    }
  }
  return undefined;
}

/** For a route that changes something: it takes what it has schemas for, and nothing else. */
export function refuseStrays(route: RouteOptions): void {
  const methods = [route.method].flat();
  if (methods.every((method) => method === 'GET' || method === 'HEAD')) return;
  const schema = (route.schema ?? {}) as { body?: unknown; querystring?: unknown };
  const checks = [route.preValidation ?? []].flat();
  if (schema.querystring === undefined) checks.push(nothing('querystring', ({ query }) => query));
  if (schema.body === undefined) checks.push(nothing('body', ({ body }) => body));
  route.preValidation = checks;
}

const Nothing = z.strictObject({}).nullish();

const nothing =
  (part: 'querystring' | 'body', read: (request: FastifyRequest) => unknown) =>
  (request: FastifyRequest, _reply: unknown, done: (error?: Error) => void): void => {
    const given = read(request);
    const { error } = Nothing.safeParse(given);
    done(error && invalidRequest(error.issues, part, given));
  };
