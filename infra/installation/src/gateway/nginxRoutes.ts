import type { ApiRoute } from './apiRoutes.ts';

/** nginx' map of routes: the kind of each, and which may be called by anybody and change something. */
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

/** Matched against what is passed on, as it was sent: what an API would read differently is not let through. */
function pattern({ method, path, kind }: ApiRoute): string {
  const methods = kind === 'query' || kind === 'command_read' ? '(GET|HEAD)' : method;
  const segments = path.replaceAll('.', '\\.').replaceAll(/\{[^}]+\}/g, '[^/?#]+');
  return `~^${methods} ${segments}(\\?|$)`;
}
