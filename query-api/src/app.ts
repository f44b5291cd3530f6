import { buildHttp, type Http } from '@brokerx/infra/http/http.ts';
import { sendProblem } from '@brokerx/infra/http/problems.ts';
import { accountRoutes } from './account/routes.ts';
import { bookRoutes } from './books/bookRoutes.ts';
import type { QueryDeps } from './deps.ts';
import { parkedRoutes } from './events/parkedRoutes.ts';
import { eventRoutes } from './events/routes.ts';
import { allowOrigins } from './http/cors.ts';
import { marketRoutes } from './market/routes.ts';
import { queryMetrics } from './metrics.ts';
import { problemOf } from './reading/problemOf.ts';
import { reading } from './reading/reading.ts';
import { channelRoutes } from './streams/channelRoutes.ts';
import { streamRoutes } from './streams/routes.ts';
import { becomesSocket } from './ws/handshake.ts';
import { webSocketRoutes } from './ws/routes.ts';

/** Builds the whole API; it does not listen yet. */
export async function buildQueryApi(deps: QueryDeps): Promise<Http> {
  const app = await buildHttp({
    ...deps,
    title: 'BrokerX queries',
    description,
    tags,
    upgrades: becomesSocket,
  });
  queryMetrics(deps);
  allowOrigins(app, deps.corsOrigins);
  // Streams end before fastify waits for its connections: an open stream would delay the stop.
  app.addHook('preClose', async () => {
    deps.streams.close();
    await deps.sockets.close();
  });
  await app.register(async (scope: Http) => {
    scope.setErrorHandler((error, request, reply) => sendProblem(problemOf(error), request, reply, deps.log));
    const reads = reading(deps);
    accountRoutes(scope, deps, reads);
    marketRoutes(scope, deps, reads);
    bookRoutes(scope, deps, reads);
    eventRoutes(scope, deps, reads);
    parkedRoutes(scope, reads);
    streamRoutes(scope, deps);
    channelRoutes(scope, deps);
    await webSocketRoutes(scope, deps);
  });
  return app;
}

const description = `What accounts, orders and markets look like, and what happened. Money and quantities are decimal strings, times
RFC 3339 UTC. Every reply carries \`X-BrokerX-Position\`, the position of the event store that it reflects. Give the one of a command's
reply as \`min_position\` (or in the same header) to read your own writes: the answer waits up to two seconds for it.`;

const tags = [
  { name: 'Account', description: 'Cash, holdings, orders and fills of your account.' },
  { name: 'Market', description: 'Symbols, prices and trades; for everybody.' },
  {
    name: 'Streams',
    description: 'What happens, as it happens: server-sent events, and a WebSocket that takes orders, too.',
  },
  { name: 'Events', description: 'The event history itself, for operators and analysts.' },
];
