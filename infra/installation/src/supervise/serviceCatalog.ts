import { dirname, join } from 'node:path';
import type { Mode } from '@brokerx/infra/runtime/mode.ts';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { type DatabaseService, isDatabaseService } from '../database/databaseRoles.ts';
import type { ApiPorts } from './apiPorts.ts';
import { type Counts, instanceName, numbers, processName } from './instances.ts';
import type { Secrets } from './secrets.ts';
import type { ServiceSpec } from './serviceProcess.ts';

export type Surroundings = {
  /** The repository. */
  root: string;
  dataDir: string;
  /** Of each service's own role. */
  databaseUrls: Readonly<Record<DatabaseService, string>>;
  /** Where the data of a database of this machine lies. */
  databaseFolder?: string | undefined;
  ports: ApiPorts;
  counts: Counts;
  mode: Mode;
  secrets: Secrets;
  /** Passed on to every service; what the installation decides itself comes before it. */
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
    // Compiled code is kept between starts: a restarted process is back in about half the time.
    NODE_COMPILE_CACHE: join(dataDir, 'compile-cache'),
    // Whoever reads `iss` finds the keys there; one that is set comes before it.
    AUTH_ISSUER: commandUrl,
    // The owner's address is nobody's but the supervisor's.
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
  // Who signs people in has the keys; nobody else is given them.
  const given = defined({ ...secrets, ...env });
  const keys = pick(given, Object.keys(secrets));
  // Where several send mail to the development inbox, it is the first one's, and each shows it.
  const hasInbox = showsInbox(mode, given);
  const inbox = (n: number): Variables => {
    if (!hasInbox || counts.commandApis === 1) return {};
    if (n === 1) return { DEV_INBOX_SMTP_PORT: String(ports.inbox) };
    return { SMTP_URL: `smtp://${LOOPBACK}:${ports.inbox}`, DEV_INBOX_URL: commandUrl };
  };
  const all = [
    ...services('matching-engine', counts.engines, () => ({ port: 'free' })),
    ...services('command-api', counts.commandApis, (n) => {
      const port = ports.command[n - 1] ?? 0;
      return { port, own: { ...keys, ...inbox(n), COMMAND_API_PORT: String(port) } };
    }),
    ...services('projectors', counts.projectors, () => ({ port: 'free' })),
    ...services('query-api', counts.queryApis, (n) => {
      const port = ports.query[n - 1] ?? 0;
      // All have the same keys, and take the same orders; the load is spread.
      const issuer = urlOf(ports.command[(n - 1) % counts.commandApis]);
      const AUTH_JWKS_URL = `${issuer}/.well-known/jwks.json`;
      return { port, own: { QUERY_API_PORT: String(port), AUTH_JWKS_URL, COMMAND_API_URL: issuer } };
    }),
  ];
  if (!traders) return all;
  const own = {
    ...pick(given, ['OPERATOR_EMAIL', 'OPERATOR_PASSWORD']),
    TRADERS_STATE: join(dataDir, 'traders.json'),
  };
  const traded = services('traders', 1, () => ({ port: null, own }), 'loadtests/src/traders.ts');
  return [...all, ...traded.map((spec) => ({ ...spec, optional: true }))];
}

/** Mail that no server takes stays on this machine, where development shows it. */
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
