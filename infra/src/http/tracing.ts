import type { ServerResponse } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { type Runtime, realRuntime } from '../runtime/runtime.ts';
import type { Telemetry } from '../runtime/telemetry.ts';
import { childTraceparent } from '../runtime/traceparent.ts';
import type { Http } from './instance.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** W3C trace context of this request: a step in the caller's trace, or a trace of its own. */
    traceparent: string;
  }
}

/**
 * Gives each request its trace context, and when traces are collected a span from its head to the last byte of the reply.
 * Routes that the API's reference does not show (health, the reference itself, unknown paths) have no span.
 */
export function traceRequests(app: Http, telemetry: Telemetry | undefined, runtime: Runtime = realRuntime) {
  app.decorateRequest('traceparent', '');
  app.addHook('onRequest', (request, reply, done) => {
    const { traceparent } = request.headers;
    const caller = typeof traceparent === 'string' ? traceparent : undefined;
    request.traceparent =
      telemetry?.on && isShown(request)
        ? beginSpan(telemetry, request, reply.raw, caller)
        : childTraceparent(runtime, caller);
    reply.header('traceparent', request.traceparent);
    done();
  });
}

/** The status that proxies log for a client that did not wait for the reply. */
const CLIENT_CLOSED_REQUEST = 499;

const isShown = ({ routeOptions: { schema, url } }: FastifyRequest) =>
  url !== undefined && schema !== undefined && !('hide' in schema && schema.hide);

function beginSpan(
  telemetry: Telemetry,
  request: FastifyRequest,
  response: ServerResponse,
  caller: string | undefined,
): string {
  const { method, id } = request;
  const route = request.routeOptions.url ?? '';
  const attributes = { 'http.request.method': method, 'http.route': route, 'brokerx.request_id': id };
  let requestTraceparent = '';
  void telemetry.span(
    `${method} ${route}`,
    { kind: 'server', traceparent: caller, attributes },
    (traceparent, span) => {
      requestTraceparent = traceparent;
      return new Promise<void>((resolve) => {
        // Emitted however the request ends: with its reply, or with the connection.
        response.once('close', () => {
          const status = response.headersSent ? response.statusCode : CLIENT_CLOSED_REQUEST;
          span.note({ 'http.response.status_code': status });
          // A client's mistake is no failure of the server.
          if (status >= 500) span.fail(String(status));
          resolve();
        });
      });
    },
  );
  return requestTraceparent;
}
