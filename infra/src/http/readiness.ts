import { createServer } from 'node:http';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { LOOPBACK } from '../runtime/ports.ts';
import type { Http } from './instance.ts';

/**
 * The state of each dependency of the process, by name: `ok`, `ok: …` with a defect that it can work with, or what is wrong.
 * Must answer within a second or so.
 */
export type Readiness = () => Promise<Record<string, string>>;

/** Adds `/livez` (the process answers), `/readyz` (it can do its work) and `/metrics`. */
export function readiness(app: Http, ready: Readiness, isStopping: () => boolean, metrics: Metrics): void {
  const options = { config: { auth: 'public' }, schema: { hide: true } } as const;
  app.get('/livez', options, () => ({ status: 'ok' }));
  app.get('/readyz', options, async (_request, reply) => {
    const { status, body } = await readinessReply(ready, isStopping());
    return reply.code(status).send(body);
  });
  app.get('/metrics', options, async (_request, reply) => {
    const { contentType, text } = await metrics.scrape();
    return reply.header('content-type', contentType).send(text);
  });
}

export type HealthServer = { port: number; close(): Promise<void> };

/** Serves the same three routes for a process without an API, by default to this machine alone; port 0: any free one. */
export async function startHealthServer(options: {
  port: number;
  host?: string;
  ready: Readiness;
  metrics: Metrics;
  log: Log;
}): Promise<HealthServer> {
  const { port, host = LOOPBACK, ready, metrics, log } = options;
  const server = createServer(async (request, response) => {
    const answer = (status: number, contentType: string, text: string) =>
      response.writeHead(status, { 'content-type': contentType }).end(text);
    try {
      if (request.url === '/livez') answer(200, JSON_TYPE, '{"status":"ok"}');
      else if (request.url === '/readyz') {
        const { status, body } = await readinessReply(ready, false);
        answer(status, JSON_TYPE, JSON.stringify(body));
      } else if (request.url === '/metrics') {
        const { contentType, text } = await metrics.scrape();
        answer(200, contentType, text);
      } else answer(404, JSON_TYPE, '{"status":"not found"}');
    } catch (err) {
      log.error({ err }, 'health request failed');
      answer(500, JSON_TYPE, '{"status":"failed"}');
    }
  });
  server.maxConnections = HEALTH_CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: address !== null && typeof address === 'object' ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Connections at a time: more than a supervisor, a scraper and a person need. */
const HEALTH_CONNECTIONS_MAX = 50;
const JSON_TYPE = 'application/json; charset=utf-8';

async function readinessReply(ready: Readiness, stopping: boolean) {
  const dependencies = await ready().catch((error: unknown) => ({ readiness: String(error) }));
  const isReady = !stopping && Object.values(dependencies).every((state) => /^ok(:|$)/.test(state));
  const summary = stopping ? 'stopping' : isReady ? 'ok' : 'not ready';
  return { status: isReady ? 200 : 503, body: { status: summary, dependencies } };
}
