import { z } from 'zod';

/**
 * What the two APIs serve, read from their OpenAPI documents: gateways pass on exactly that. How a route is passed on
 * follows from what the document says of it.
 */
export type ApiRoute = {
  api: 'command' | 'query';
  method: string;
  /** `/v1/orders/{id}` */
  path: string;
  kind: RouteKind;
  /** The roles that may call it; null: anybody may. */
  roles: readonly string[] | null;
  /** Headers and parameters that it reads, beside the ones that every route does. */
  headers: readonly string[];
  queries: readonly string[];
};

/**
 * `command`: may be sent twice, because it carries an Idempotency-Key, or because it puts or deletes: that changes no
 * more the second time. `command_once`: may not. `command_read`: changes nothing, but command-api answers it. `query`:
 * answered by query-api. `stream`: answered without end.
 */
export type RouteKind = 'command' | 'command_once' | 'command_read' | 'query' | 'stream';

const Parameter = z.looseObject({ in: z.string(), name: z.string() });
const Operation = z.looseObject({
  tags: z.array(z.string()).default([]),
  security: z.array(z.object({ bearer: z.array(z.string()) })).optional(),
  parameters: z.array(Parameter).default([]),
  responses: z.record(z.string(), z.looseObject({ content: z.record(z.string(), z.unknown()).default({}) })),
});
const Document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), Operation)) });
type Operation = z.infer<typeof Operation>;

/** Routes that exist in development alone are not among them: a gateway shows them when it is told to. */
const DEVELOPMENT = 'Development';
/** Media types of replies that do not end, or only after a long time. */
const ENDLESS: readonly string[] = ['text/event-stream', 'application/x-ndjson'];

export function apiRoutes(documents: { command: unknown; query: unknown }): ApiRoute[] {
  const routes = [...routesOf('command', documents.command), ...routesOf('query', documents.query)];
  const seen = new Set<string>();
  for (const { method, path } of routes) {
    const name = `${method} ${path}`;
    if (seen.has(name)) throw new Error(`both APIs serve ${name}: a gateway cannot tell which is meant`);
    seen.add(name);
  }
  return routes;
}

function routesOf(api: ApiRoute['api'], document: unknown): ApiRoute[] {
  return Object.entries(Document.parse(document).paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([verb, operation]): ApiRoute[] => {
      if (operation.tags.includes(DEVELOPMENT)) return [];
      const method = verb.toUpperCase();
      const named = (place: string) =>
        operation.parameters.flatMap(({ in: where, name }) => (where === place ? [name] : []));
      return [
        {
          api,
          method,
          path,
          kind: kindOf(api, method, path, operation),
          roles: operation.security?.flatMap(({ bearer }) => bearer) ?? null,
          headers: named('header'),
          queries: named('query'),
        },
      ];
    }),
  );
}

function kindOf(api: ApiRoute['api'], method: string, path: string, operation: Operation): RouteKind {
  if (api === 'query') {
    if (method !== 'GET') throw new Error(`query-api serves ${method} ${path}: it must not change anything`);
    const types = Object.values(operation.responses).flatMap(({ content }) => Object.keys(content));
    // Switching protocols: a WebSocket.
    if ('101' in operation.responses) return 'stream';
    return types.some((type) => ENDLESS.includes(type)) ? 'stream' : 'query';
  }
  if (method === 'GET') return 'command_read';
  if (method === 'PUT' || method === 'DELETE') return 'command';
  const isKeyed = operation.parameters.some(({ in: where, name }) => where === 'header' && name === KEY);
  return isKeyed ? 'command' : 'command_once';
}

const KEY = 'Idempotency-Key';
