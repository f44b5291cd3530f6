import { errorCodes, type FastifyRequest, type RouteOptions } from 'fastify';
import { z } from 'zod';
import type { Http } from './instance.ts';
import { invalidRequest } from './problems.ts';

/**
 * Bodies of requests. An empty body is no body, whatever its kind: clients name the kind that they would have sent although
 * they send none (axios, fetch and curl each another one). What no schema looks at is not passed over: it is refused, so
 * that nobody believes that it counted.
 */
export function takeJsonAlone(app: Http): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser(['text/plain', 'application/json']);
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, undefined);
    return parse(request, body, done);
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
    done();
  });
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
