import type { FastifyRequest, RouteOptions } from 'fastify';
import { z } from 'zod';
import type { Http } from './http.ts';
import { invalidRequest } from './problems.ts';

/**
 * Bodies of requests. Clients name the kind of body that they would have sent although they send none (axios does): then
 * there is none. What no schema looks at is not passed over: it is refused, so that nobody believes that it counted.
 */
export function takeJsonAlone(app: Http): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser(['text/plain', 'application/json']);
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, undefined);
    return parse(request, body, done);
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
