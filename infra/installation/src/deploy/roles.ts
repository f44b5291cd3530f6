/**
 * What is deployed together: the services of one kind, all from one image. In the order of a deployment: whoever reads
 * events comes before whoever may write new kinds of them. A way back goes in the opposite order.
 */
export type Role = {
  name: string;
  /** Replaced one by one while they run. */
  services: readonly string[];
  /** The variable in `.env` that says which image they run. */
  tagVariable: string;
  /** Run to its end before the services are looked at. */
  before?: string;
  /** What it did stays done: it precedes every deployment of others, and no way back undoes it. */
  isOneWay?: boolean;
  /** Told to a service that was not replaced, so that it takes up what was made before. */
  reload?: readonly string[];
};

const pair = (name: string) => [`${name}-1`, `${name}-2`] as const;
const NGINX = 'nginx -e stderr -p /tmp -c /gateway/nginx.conf';

export const ROLES: readonly Role[] = [
  { name: 'database', services: [], tagVariable: 'DATABASE_TAG', before: 'database', isOneWay: true },
  { name: 'projectors', services: pair('projectors'), tagVariable: 'PROJECTORS_TAG' },
  { name: 'query-api', services: pair('query-api'), tagVariable: 'QUERY_API_TAG' },
  { name: 'matching-engine', services: pair('matching-engine'), tagVariable: 'MATCHING_ENGINE_TAG' },
  { name: 'command-api', services: pair('command-api'), tagVariable: 'COMMAND_API_TAG' },
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

/** Servers of others, started before everything else where their profile is on. */
export const SERVERS: readonly string[] = ['postgres', 'vault', 'kurrentdb', 'kafka', 'redis'];

/**
 * The roles with these names, or those that the services belong to; all that `running` knows when nothing is named.
 * Throws for a name that is none, and for what the profiles leave out.
 */
export function rolesNamed(names: readonly string[], running: readonly string[]): Role[] {
  const there = ROLES.filter(({ services }) => services.every((service) => running.includes(service)));
  if (names.length === 0) return there;
  for (const name of names) {
    const role = ROLES.find((known) => known.name === name || known.services.includes(name));
    if (!role)
      throw new Error(`there is no service ${name}: choose from ${ROLES.map((it) => it.name).join(', ')}`);
    if (!there.includes(role)) throw new Error(`${name} is not started here: see COMPOSE_PROFILES`);
  }
  return there.filter(
    ({ name, services, isOneWay }) =>
      isOneWay || names.some((wanted) => wanted === name || services.includes(wanted)),
  );
}
