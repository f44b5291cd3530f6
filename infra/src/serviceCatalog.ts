import { join } from 'node:path';
import { LOOPBACK } from './ports.ts';
import type { Secrets } from './secrets.ts';
import type { ServiceSpec } from './serviceProcess.ts';

export type Surroundings = {
  /** The repository. */
  root: string;
  dataDir: string;
  databaseUrl: string;
  /** Where the data of a database of this machine lies. */
  databaseFolder?: string | undefined;
  ports: { command: number; query: number };
  secrets: Secrets;
  /** Passed on to every service; what the installation decides itself comes before it. */
  env: Readonly<Record<string, string | undefined>>;
  traders: boolean;
};

/** The services of BrokerX in the order in which they are started. */
export function brokerxServices(surroundings: Surroundings): ServiceSpec[] {
  const { root, dataDir, databaseUrl, databaseFolder, ports, secrets, env, traders } = surroundings;
  const commandUrl = `http://${LOOPBACK}:${ports.command}`;
  const queryUrl = `http://${LOOPBACK}:${ports.query}`;
  const shared = {
    // Compiled code is kept between starts: a restarted process is back in about half the time.
    NODE_COMPILE_CACHE: join(dataDir, 'compile-cache'),
    ...without(defined(env), Object.keys(secrets)),
    DATABASE_URL: databaseUrl,
    ...defined({ DATABASE_FOLDER: databaseFolder }),
    COMMAND_API_PORT: String(ports.command),
    QUERY_API_PORT: String(ports.query),
    COMMAND_API_URL: commandUrl,
    QUERY_API_URL: queryUrl,
    AUTH_JWKS_URL: `${commandUrl}/.well-known/jwks.json`,
    // Some shells set it to the machine's name: then health would be open to the network.
    HOST: LOOPBACK,
  };
  const service = (
    name: string,
    port: ServiceSpec['port'],
    own: Variables = {},
    file = `${name}/src/main.ts`,
  ): ServiceSpec => ({
    name,
    script: join(root, file),
    port,
    env: { ...shared, ...own, BROKERX_INSTANCE: `${name}-1` },
  });
  // Who signs people in has the keys; nobody else is given them.
  const given = defined({ ...secrets, ...env });
  const keys = pick(given, Object.keys(secrets));
  const services = [
    // Without snapshots it works every book out again, and the others have as much to read: the market opens first.
    { ...service('matching-engine', 'free'), first: true },
    service('command-api', ports.command, keys),
    service('projectors', 'free'),
    service('query-api', ports.query),
  ];
  if (!traders) return services;
  const own = {
    ...pick(given, ['OPERATOR_EMAIL', 'OPERATOR_PASSWORD']),
    TRADERS_STATE: join(dataDir, 'traders.json'),
  };
  return [...services, { ...service('traders', null, own, 'loadtests/src/traders.ts'), optional: true }];
}

type Variables = Readonly<Record<string, string>>;
const pick = (variables: Variables, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).filter(([name]) => names.includes(name)));
const without = (variables: Variables, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).filter(([name]) => !names.includes(name)));

function defined(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const set: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined && value !== '') set[name] = value;
  return set;
}
