import type { IncomingMessage } from 'node:http';
import { type FastifyReply, type FastifyRequest, fastify, LogController, type RouteOptions } from 'fastify';
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { Histogram } from 'prom-client';
import { z } from 'zod';
import { CONNECTION_BOUNDS, type ConnectionBounds } from '../runtime/connectionBounds.ts';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { type Runtime, realRuntime } from '../runtime/runtime.ts';
import type { Telemetry } from '../runtime/telemetry.ts';
import { acceptJsonOnly, refuseUndeclaredInput } from './bodies.ts';
import { clientAddresses } from './clientAddress.ts';
import { type ApiDescription, DOCS_PATH, docsHelmet, serveDocs, serveDocsPage } from './docs.ts';
import type { Http } from './instance.ts';
import { ProblemBody } from './problem.ts';
import {
  answerBrokenConnection,
  invalidRequest,
  type RequestPart,
  routeNotFound,
  sendProblem,
} from './problems.ts';
import { type Readiness, readiness } from './readiness.ts';
import { boundedServer, type Gate } from './server.ts';
import { traceRequests } from './tracing.ts';

/**
 * The HTTP kit: a fastify instance on which every route has schemas and names who may call it, every failure is a problem
 * reply, and everything that a client can make grow has a bound.
 */
export type { Http } from './instance.ts';

export type HttpOptions = ApiDescription & {
  log: Log;
  metrics: Metrics;
  /** For `/readyz`: the state of each dependency of the requests. */
  ready: Readiness;
  /**
   * Checks each request to a route that is not public, before the body is read, against the route's scopes. Throws a `Problem`
   * (401, 403) to refuse it.
   */
  authenticate(request: FastifyRequest, scopes: readonly string[]): void | Promise<void>;
  /** Proxies whose headers are believed for the client's address, protocol and host; none when absent. */
  trustedProxies?: readonly string[];
  /** Admits each request, before any work is done for it; absent: all are admitted. */
  gate?: Gate;
  /** Whether a request may leave HTTP, such as for a WebSocket; none may when absent. */
  upgrades?: (request: IncomingMessage) => boolean;
  bounds?: ConnectionBounds;
  runtime?: Runtime;
  /** Traces requests; absent: they are not traced. */
  telemetry?: Telemetry;
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route: anybody, or callers with one of these scopes. Without it the process does not start. */
    auth?: 'public' | readonly string[];
    /** Security headers for a page, set by @fastify/helmet; all other replies get `securityHeaders`. */
    helmet?: typeof docsHelmet;
  }
}

/** Bytes of a request's body: a command has some hundred, a batch of them fits. */
export const BODY_BYTES_MAX = 64 * 1024;
/** Characters of an id or a symbol in a path. */
const PATH_PARAMETER_CHARACTERS_MAX = 200;

export async function buildHttp(options: HttpOptions): Promise<Http> {
  const { log, metrics, authenticate, trustedProxies = [], runtime = realRuntime } = options;
  const { gate, upgrades = () => false, bounds = CONNECTION_BOUNDS } = options;
  const clients = clientAddresses(trustedProxies);
  const app: Http = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // One logger for all requests: a child logger costs more than a whole small request. Logged errors name the request.
    childLoggerFactory: (logger) => logger,
    genReqId: requestIds(runtime),
    trustProxy: trustedProxies.length > 0 ? clients.isProxy : false,
    serverFactory: (handle) =>
      boundedServer(handle, {
        bounds,
        clients,
        gate,
        upgrades,
        runtime,
        metrics,
        answerBroken: answerBrokenConnection,
      }),
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PATH_PARAMETER_CHARACTERS_MAX },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // `boundedServer` answers broken connections itself.
    clientErrorHandler: () => undefined,
    frameworkErrors: (error, request, reply) => {
      sendProblem(error, request as FastifyRequest, reply as FastifyReply, log);
    },
  }).withTypeProvider<ZodTypeProvider>();
  acceptJsonOnly(app);
  app.setValidatorCompiler(validate);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, log));
  app.setNotFoundHandler((request, reply) => sendProblem(routeNotFound(request), request, reply, log));

  let stopping = false;
  app.addHook('preClose', async () => {
    stopping = true;
  });
  traceRequests(app, options.telemetry, runtime);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    const { auth, helmet } = request.routeOptions.config;
    if (helmet === undefined) reply.headers(securityHeaders);
    if (auth === undefined || auth === 'public') return done();
    const verdict = authenticate(request, auth);
    if (verdict === undefined) return done();
    verdict.then(() => done(), done);
  });
  // A stopping process still answers every request, but closes its connection after the reply: load balancers send the next
  // request elsewhere, and no client is turned away.
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (stopping) reply.header('connection', 'close');
    done(null, payload);
  });
  app.addHook('onResponse', observe(metrics, log));

  await serveDocs(app, options);
  app.addHook('onRoute', demandDeclarations);
  readiness(app, options.ready, () => stopping, metrics);
  serveDocsPage(app, options.title);
  return app;
}

/** Denies by default: the process does not start if a route does not declare who may call it and what it replies. */
function demandDeclarations(route: RouteOptions): void {
  if (route.url === DOCS_PATH || route.url.startsWith(`${DOCS_PATH}/`)) {
    route.config = { ...route.config, auth: 'public', helmet: docsHelmet };
    return;
  }
  const name = `${String(route.method)} ${route.url}`;
  const auth = route.config?.auth;
  if (auth === undefined) throw new Error(`${name} does not say who may call it: set config.auth`);
  const schema = (route.schema ?? {}) as { hide?: boolean; response?: Record<string, unknown> };
  if (schema.hide) return;
  const statuses = Object.keys(schema.response ?? {});
  if (!statuses.some((status) => /^[123]/.test(status))) {
    throw new Error(`${name} does not say what it answers: set schema.response`);
  }
  route.schema = {
    ...(auth === 'public' ? {} : { security: [{ bearer: [...auth] }] }),
    ...route.schema,
    response: { ...schema.response, '4xx': problemReply, '5xx': problemReply },
  };
  refuseUndeclaredInput(route);
}

const problemReply = {
  description: 'Why not.',
  content: { 'application/problem+json': { schema: ProblemBody } },
};

const validate = ({ schema, httpPart }: { schema: unknown; httpPart?: string }) => {
  const zod = schema as z.ZodType;
  const part = (httpPart ?? 'body') as RequestPart;
  return (value: unknown) => {
    const result = zod.safeParse(value);
    return result.success
      ? { value: result.data }
      : { error: invalidRequest(result.error.issues, part, value) };
  };
};

/** Headers of replies that are data, never a page. */
const securityHeaders = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

/** Makes ids that are unique for ever: each process has a random prefix and then counts, which costs nothing. */
function requestIds(runtime: Runtime): () => string {
  const prefix = Buffer.from(runtime.randomBytes(9)).toString('base64url');
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}

/** Measures each request, and logs it at debug level. */
function observe(metrics: Metrics, log: Log) {
  const seconds = new Histogram({
    name: 'brokerx_http_request_seconds',
    help: 'Time from the request line to the last byte of the reply.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [metrics.registry],
  });
  const children = new Map<string, { observe(value: number): void }>();
  return (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    const { method, routeOptions } = request;
    const route = routeOptions.url ?? 'none';
    const key = `${method} ${route} ${reply.statusCode}`;
    let child = children.get(key);
    if (!child) children.set(key, (child = seconds.labels(method, route, String(reply.statusCode))));
    child.observe(reply.elapsedTime / 1000);
    if (log.isLevelEnabled('debug')) {
      const { statusCode: status, elapsedTime: ms } = reply;
      log.debug({ request_id: request.id, method, route, status, ms: Math.round(ms * 10) / 10 }, 'request');
    }
    done();
  };
}
