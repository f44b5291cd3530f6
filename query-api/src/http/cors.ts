import type { Http } from '@brokerx/infra/http/http.ts';

/** Seconds for which a browser caches the answer to a preflight request. */
const MAX_AGE_SECONDS = 600;

/** Lets web pages of exactly these origins read the API. Without any, no CORS header is sent, and browsers refuse. */
export function allowOrigins(app: Http, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const allowed = new Set(origins);
  // On every reply, so that pages can read refusals, too.
  app.addHook('onSend', async (request, reply) => {
    const { origin } = request.headers;
    reply.header('vary', 'Origin');
    if (origin === undefined || !allowed.has(origin)) return;
    reply.header('access-control-allow-origin', origin);
    reply.header('access-control-expose-headers', 'X-BrokerX-Position, X-Request-Id, Retry-After');
  });
  app.options('/v1/*', { config: { auth: 'public' }, schema: { hide: true } }, (_request, reply) =>
    reply
      .code(204)
      .header('access-control-allow-methods', 'GET')
      .header('access-control-allow-headers', 'Authorization, Last-Event-ID, X-BrokerX-Position, traceparent')
      .header('access-control-max-age', String(MAX_AGE_SECONDS))
      .send(),
  );
}
