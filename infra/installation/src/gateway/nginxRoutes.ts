import type { ApiRoute } from './apiRoutes.ts';

/** nginx' maps of routes: the kind of each route, and the routes that anybody may call and that change something. */
export function nginxRoutes(routes: readonly ApiRoute[]): string {
  const kinds = routes.map((route) => `    "${pattern(route)}" ${route.kind};`);
  const openCommands = routes.filter(({ roles, method }) => roles === null && method !== 'GET');
  return `# Made by \`brokerx gateway routes\` from the OpenAPI documents of both APIs; not to be edited.
map "$request_method $request_uri" $brokerx_route {
    default "";
${kinds.join('\n')}
}
map "$request_method $request_uri" $brokerx_public {
    default "";
${openCommands.map((route) => `    "${pattern(route)}" yes;`).join('\n')}
}
`;
}

/** A pattern for the request as it was sent and is passed on, so that no request passes that an API would read differently. */
function pattern({ method, path, kind }: ApiRoute): string {
  const methods = kind === 'query' || kind === 'command_read' ? '(GET|HEAD)' : method;
  const segments = path.replaceAll('.', '\\.').replaceAll(/\{[^}]+\}/g, '[^/?#]+');
  return `~^${methods} ${segments}(\\?|$)`;
}
