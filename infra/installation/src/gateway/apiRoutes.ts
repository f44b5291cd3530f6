import { z } from 'zod';

/**
 * A route of one of the two APIs, read from its OpenAPI document. Gateways pass on exactly these routes, each in the way that
 * its document determines.
 */
export type ApiRoute = {
  api: 'command' | 'query';
  method: string;
  /** `/v1/orders/{id}` */
  path: string;
  kind: RouteKind;
  /** The roles that may call the route; null: anybody may. */
  roles: readonly string[] | null;
  /** Headers and query parameters that the route reads, beside those that every route reads. */
  headers: readonly string[];
  queries: readonly string[];
};

/**
 * `command`: may be sent twice, because it carries an Idempotency-Key, or because it is a PUT or DELETE, which changes nothing
 * the second time. `command_once`: must not be sent twice. `command_read`: changes nothing, but command-api answers it.
 * `query`: query-api answers it. `stream`: its reply has no end.
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

/** The tag of routes that exist in development alone. They are left out here; a gateway shows them if it is told to. */
const DEVELOPMENT_TAG = 'Development';
/** Media types of replies that do not end, or only after a long time. */
const ENDLESS_TYPES: readonly string[] = ['text/event-stream', 'application/x-ndjson'];

export function apiRoutes(documents: { command: unknown; query: unknown }): ApiRoute[] {
  const routes = [...routesOf('command', documents.command), ...routesOf('query', documents.query)];
  const names = new Set<string>();
  for (const { method, path } of routes) {
    const name = `${method} ${path}`;
    if (names.has(name)) throw new Error(`both APIs serve ${name}: a gateway cannot tell which is meant`);
    names.add(name);
  }
  return routes;
}

function routesOf(api: ApiRoute['api'], document: unknown): ApiRoute[] {
  return Object.entries(Document.parse(document).paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([verb, operation]): ApiRoute[] => {
      if (operation.tags.includes(DEVELOPMENT_TAG)) return [];
      const method = verb.toUpperCase();
      const parametersIn = (place: string) =>
        operation.parameters.flatMap(({ in: where, name }) => (where === place ? [name] : []));
      return [
        {
          api,
          method,
          path,
          kind: kindOf(api, method, path, operation),
          roles: operation.security?.flatMap(({ bearer }) => bearer) ?? null,
          headers: parametersIn('header'),
          queries: parametersIn('query'),
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
    return types.some((type) => ENDLESS_TYPES.includes(type)) ? 'stream' : 'query';
  }
  if (method === 'GET') return 'command_read';
  if (method === 'PUT' || method === 'DELETE') return 'command';
  const isKeyed = operation.parameters.some(
    ({ in: where, name }) => where === 'header' && name === IDEMPOTENCY_HEADER,
  );
  return isKeyed ? 'command' : 'command_once';
}

const IDEMPOTENCY_HEADER = 'Idempotency-Key';
