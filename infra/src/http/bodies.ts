import { isUtf8 } from 'node:buffer';
import { errorCodes, type FastifyRequest, type RouteOptions } from 'fastify';
import { z } from 'zod';
import type { Http } from './instance.ts';
import { Problem } from './problem.ts';
import { invalidRequest, malformedJson, unsupportedMediaType } from './problems.ts';

/**
 * Accepts request bodies as JSON alone. An empty body counts as none, whatever its content type: clients (axios, fetch, curl)
 * state the type that they would have sent although they send no body. Input for which a route has no schema is refused and
 * not ignored, so that no client believes that it counted.
 */
export function acceptJsonOnly(app: Http): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser(['text/plain', 'application/json']);
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    // A decoder would silently replace these bytes by other characters.
    if (!isUtf8(body)) return done(new Problem({ ...malformedJson, detail: 'It is not UTF-8.' }));
    const text = body.toString();
    return parse(request, text, (error, value) => done(error && (poisonousKey(text) ?? error), value));
  });
  // A body of unknown length may be empty: the first byte or the end shows it.
  app.addContentTypeParser('*', (request, payload, done) => {
    if (request.is404) return done(null);
    const finish = (error: Error | null) => {
      payload.off('data', refuse).off('end', accept).off('error', finish);
      done(error);
    };
    const refuse = () => finish(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE());
    const accept = () => finish(null);
    payload.on('data', refuse).on('end', accept).on('error', finish);
  });
  // The framework checks the content type first, and refuses an empty one. Without a body it does not matter.
  app.addHook('onRequest', ({ raw: { headers } }, _reply, done) => {
    const length = headers['content-length'] ?? '0';
    const isEmpty = headers['transfer-encoding'] === undefined && Number(length) === 0;
    if (isEmpty || headers['content-type'] === '') delete headers['content-type'];
    const encoding = headers['content-encoding'] ?? 'identity';
    if (isEmpty || encoding.toLowerCase() === 'identity') return done();
    const detail = 'A body with a Content-Encoding is not decoded: send it as it is.';
    done(new Problem({ ...unsupportedMediaType, detail }));
  });
}

/** The parser refuses keys that could change what all objects inherit. They are reported as unknown fields. */
function poisonousKey(text: string): Problem | undefined {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return undefined;
  }
  const unvisited: { path: string[]; value: unknown }[] = [{ path: [], value: root }];
  for (let node = unvisited.pop(); node; node = unvisited.pop()) {
    const { path, value } = node;
    if (value === null || typeof value !== 'object') continue;
    for (const [key, inner] of Object.entries(value)) {
      const isPoison =
        key === '__proto__' || (key === 'constructor' && Object.hasOwn(Object(inner), 'prototype'));
      if (isPoison)
        return invalidRequest([{ code: 'unrecognized_keys', keys: [key], path, message: '' }], 'body', root);
      unvisited.push({ path: [...path, key], value: inner });
    }
  }
  return undefined;
}

/** Makes a route that changes something refuse a body or a query for which it has no schema. */
export function refuseUndeclaredInput(route: RouteOptions): void {
  const methods = [route.method].flat();
  if (methods.every((method) => method === 'GET' || method === 'HEAD')) return;
  const schema = (route.schema ?? {}) as { body?: unknown; querystring?: unknown };
  const checks = [route.preValidation ?? []].flat();
  if (schema.querystring === undefined) checks.push(refuseAnything('querystring', ({ query }) => query));
  if (schema.body === undefined) checks.push(refuseAnything('body', ({ body }) => body));
  route.preValidation = checks;
}

const Nothing = z.strictObject({}).nullish();

const refuseAnything =
  (part: 'querystring' | 'body', read: (request: FastifyRequest) => unknown) =>
  (request: FastifyRequest, _reply: unknown, done: (error?: Error) => void): void => {
    const value = read(request);
    const { error } = Nothing.safeParse(value);
    done(error && invalidRequest(error.issues, part, value));
  };
