/**
 * A role: the services of one kind, which are deployed together and run the same image. `ROLES` are in the order of a
 * deployment: services that read events come before those that may write new kinds of events. A rollback goes in the
 * opposite order.
 */
export type Role = {
  name: string;
  /** The services, which are replaced one by one while they run. */
  services: readonly string[];
  /** The variable in `.env` that names their image. */
  tagVariable: string;
  /** A container that runs to its end before the services are replaced. */
  before?: string;
  /** Whether it cannot be undone: it precedes every deployment of other roles, and a rollback leaves it out. */
  isOneWay?: boolean;
  /** The command by which a running service takes up what the container `before` has made. */
  reload?: readonly string[];
};

const twoOf = (name: string) => [`${name}-1`, `${name}-2`] as const;
const NGINX = 'nginx -e stderr -p /tmp -c /gateway/nginx.conf';

export const ROLES: readonly Role[] = [
  { name: 'database', services: [], tagVariable: 'DATABASE_TAG', before: 'database', isOneWay: true },
  { name: 'projectors', services: twoOf('projectors'), tagVariable: 'PROJECTORS_TAG' },
  { name: 'query-api', services: twoOf('query-api'), tagVariable: 'QUERY_API_TAG' },
  { name: 'matching-engine', services: twoOf('matching-engine'), tagVariable: 'MATCHING_ENGINE_TAG' },
  { name: 'command-api', services: twoOf('command-api'), tagVariable: 'COMMAND_API_TAG' },
  { name: 'inbox', services: ['inbox'], tagVariable: 'INBOX_TAG' },
  {
    name: 'gateway',
    services: ['gateway'],
    tagVariable: 'GATEWAY_TAG',
    before: 'gateway-config',
    reload: ['sh', '-c', `${NGINX} -t && ${NGINX} -s reload`],
  },
  { name: 'traders', services: ['traders'], tagVariable: 'TRADERS_TAG' },
];

/** Servers that are not ours. Those whose profile is in use are started before everything else. */
export const SERVERS: readonly string[] = ['postgres', 'vault', 'kurrentdb', 'kafka', 'redis'];

/**
 * The roles with these names, or to which services with these names belong; all roles of `running` services if no name is
 * given. Throws for an unknown name, and for a role that the profiles leave out.
 */
export function rolesNamed(names: readonly string[], running: readonly string[]): Role[] {
  const available = ROLES.filter(({ services }) => services.every((service) => running.includes(service)));
  if (names.length === 0) return available;
  for (const name of names) {
    const role = ROLES.find((known) => known.name === name || known.services.includes(name));
    if (!role)
      throw new Error(`there is no service ${name}: choose from ${ROLES.map((it) => it.name).join(', ')}`);
    if (!available.includes(role)) throw new Error(`${name} is not started here: see COMPOSE_PROFILES`);
  }
  return available.filter(
    ({ name, services, isOneWay }) =>
      isOneWay || names.some((wanted) => wanted === name || services.includes(wanted)),
  );
}
