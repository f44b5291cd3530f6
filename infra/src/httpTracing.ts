import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Http } from './http.ts';
import { type Runtime, realRuntime } from './runtime.ts';
import type { Telemetry } from './telemetry.ts';
import { childTraceparent } from './traceparent.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** W3C trace context of this request: a step in the caller's trace, or a trace of its own. */
    traceparent: string;
    /** Ends the request's span; null: it has none, or it has ended. */
    endSpan: ((status: number) => void) | null;
  }
}

/**
 * Gives each request its trace context, and when traces are collected a span from its head to the last byte of the
 * reply. What the reference does not show (health, the reference itself, addresses that lead nowhere) has none.
 */
export function traceRequests(app: Http, telemetry: Telemetry | undefined, runtime: Runtime = realRuntime) {
  app.decorateRequest('traceparent', '');
  app.decorateRequest('endSpan', null);
  app.addHook('onRequest', (request, reply, done) => {
    const { traceparent } = request.headers;
    const caller = typeof traceparent === 'string' ? traceparent : undefined;
    request.traceparent =
      telemetry?.on && isShown(request)
        ? beginSpan(telemetry, request, caller)
        : childTraceparent(runtime, caller);
    reply.header('traceparent', request.traceparent);
    done();
  });
  if (!telemetry?.on) return;
  app.addHook('onResponse', (request, reply: FastifyReply, done) => {
    request.endSpan?.(reply.statusCode);
    done();
  });
  app.addHook('onRequestAbort', (request, done) => {
    request.endSpan?.(CLIENT_CLOSED_REQUEST);
    done();
  });
}

/** What proxies log for a client that did not wait for the reply. */
const CLIENT_CLOSED_REQUEST = 499;

const isShown = ({ routeOptions: { schema, url } }: FastifyRequest) =>
  url !== undefined && schema !== undefined && !('hide' in schema && schema.hide);

function beginSpan(telemetry: Telemetry, request: FastifyRequest, caller: string | undefined): string {
  const { method, id } = request;
  const route = request.routeOptions.url ?? '';
  const attributes = { 'http.request.method': method, 'http.route': route, 'brokerx.request_id': id };
  let own = '';
  void telemetry.span(
    `${method} ${route}`,
    { kind: 'server', traceparent: caller, attributes },
    (traceparent, step) => {
      own = traceparent;
      return new Promise<void>((resolve) => {
        request.endSpan = (status) => {
          request.endSpan = null;
          step.note({ 'http.response.status_code': status });
          // What a client did wrong is no failure of ours.
          if (status >= 500) step.fail(String(status));
          resolve();
        };
      });
    },
  );
  return own;
}
