import { dirname, join } from 'node:path';
import type { Mode } from '@brokerx/infra/runtime/mode.ts';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { type DatabaseService, isDatabaseService } from '../database/databaseRoles.ts';
import type { ApiPorts } from './apiPorts.ts';
import { type Counts, instanceName, numbers, processName } from './instances.ts';
import type { Secrets } from './secrets.ts';
import type { ServiceSpec } from './serviceProcess.ts';

/** The circumstances under which the services of an installation are started. */
export type Surroundings = {
  /** The repository. */
  root: string;
  dataDir: string;
  /** For each service the database's address with the service's own role. */
  databaseUrls: Readonly<Record<DatabaseService, string>>;
  /** The data folder of a database on this machine. */
  databaseFolder?: string | undefined;
  ports: ApiPorts;
  counts: Counts;
  mode: Mode;
  secrets: Secrets;
  /** Variables passed on to every service; those that the installation sets itself take precedence. */
  env: Readonly<Record<string, string | undefined>>;
  traders: boolean;
};

/** The services of BrokerX in the order in which they are started. */
export function brokerxServices(surroundings: Surroundings): ServiceSpec[] {
  const { root, dataDir, databaseUrls, databaseFolder, ports, counts, mode, secrets, env, traders } =
    surroundings;
  const urlOf = (port = 0) => `http://${LOOPBACK}:${port}`;
  const [commandUrl, queryUrl] = [urlOf(ports.command[0]), urlOf(ports.query[0])];
  const shared = {
    // Compiled code is kept between starts: a restarted process is ready in about half the time.
    NODE_COMPILE_CACHE: join(dataDir, 'compile-cache'),
    // The default issuer is the address at which the keys can be found.
    AUTH_ISSUER: commandUrl,
    // Only the supervisor knows the address of the database's owner.
    ...without(defined(env), [...Object.keys(secrets), 'DATABASE_URL']),
    BROKERX_MODE: mode,
    ...defined({ DATABASE_FOLDER: databaseFolder }),
    COMMAND_API_URL: commandUrl,
    QUERY_API_URL: queryUrl,
    // Some shells set it to the machine's name: then health would be open to the network.
    HOST: LOOPBACK,
  };
  const services = (
    name: string,
    count: number,
    each: (n: number) => Pick<ServiceSpec, 'port'> & { own?: Variables },
    file = `${name}/src/main.ts`,
  ): ServiceSpec[] =>
    numbers(count).map((n) => {
      const { own = {}, ...spec } = each(n);
      const database: Variables = isDatabaseService(name) ? { DATABASE_URL: databaseUrls[name] } : {};
      const env = { ...shared, ...database, ...own, BROKERX_INSTANCE: instanceName(name, n) };
      const script = join(root, file);
      const config = join(dirname(script), 'config.ts');
      return { name: processName(name, n, count), script, config, ...spec, env };
    });
  // Only command-api, which signs people in, gets the secrets.
  const variables = defined({ ...secrets, ...env });
  const keys = pick(variables, Object.keys(secrets));
  const tunables = pick(variables, Object.keys(LARGE_PAGES));
  // With several command-apis the first one has the development inbox; the others send mail to it, and all show it.
  const hasInbox = showsInbox(mode, variables);
  const inbox = (n: number): Variables => {
    if (!hasInbox || counts.commandApis === 1) return {};
    if (n === 1) return { DEV_INBOX_SMTP_PORT: String(ports.inbox) };
    return { SMTP_URL: `smtp://${LOOPBACK}:${ports.inbox}`, DEV_INBOX_URL: commandUrl };
  };
  const specs = [
    ...services('matching-engine', counts.engines, () => ({
      port: 'free',
      own: { ...LARGE_PAGES, ...tunables },
    })),
    ...services('command-api', counts.commandApis, (n) => {
      const port = ports.command[n - 1] ?? 0;
      return { port, own: { ...keys, ...inbox(n), COMMAND_API_PORT: String(port) } };
    }),
    ...services('projectors', counts.projectors, () => ({ port: 'free' })),
    ...services('query-api', counts.queryApis, (n) => {
      const port = ports.query[n - 1] ?? 0;
      // All command-apis have the same keys and take the same orders: this spreads the load.
      const issuer = urlOf(ports.command[(n - 1) % counts.commandApis]);
      const AUTH_JWKS_URL = `${issuer}/.well-known/jwks.json`;
      return { port, own: { QUERY_API_PORT: String(port), AUTH_JWKS_URL, COMMAND_API_URL: issuer } };
    }),
  ];
  if (!traders) return specs;
  const own = {
    ...pick(variables, ['OPERATOR_EMAIL', 'OPERATOR_PASSWORD']),
    TRADERS_STATE: join(dataDir, 'traders.json'),
  };
  const traderServices = services('traders', 1, () => ({ port: null, own }), 'loadtests/src/traders.ts');
  return [...specs, ...traderServices.map((spec) => ({ ...spec, optional: true }))];
}

/**
 * A deep book is read at random places, and most of that time is the search for the memory's page: pages of 2 MB are few
 * enough for the processor to remember. Systems without glibc or without large pages take no notice.
 */
const LARGE_PAGES = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };

/** Whether mail goes to the inbox on this machine: in development, unless a mail server is set. */
export const showsInbox = (mode: Mode, env: Readonly<Record<string, string | undefined>>): boolean =>
  mode === 'development' && !env['SMTP_URL'];

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
