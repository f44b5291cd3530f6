import { isIP } from 'node:net';
import { z } from 'zod';
import { CONNECTION_BOUNDS } from './connectionBounds.ts';
import { LOG_LEVELS } from './log.ts';
import { MODES } from './mode.ts';
import { LOOPBACK, PORT_MAX } from './ports.ts';
import { WAITS_FOR_SIGNAL } from './startSignal.ts';

/**
 * Reads the configuration from the environment, once, at the start; throws `ConfigError` or returns it frozen. Each service's
 * `config.ts` names its variables, some of them from `sharedVariables`, and passes their values on.
 */
export function loadConfig<S extends z.ZodObject>(
  schema: S,
  env: NodeJS.ProcessEnv = process.env,
): Readonly<z.output<S>> {
  // An empty variable counts as unset: that is what people mean by `FOO=` in a file.
  const variables = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(variables);
  if (parsed.success) return Object.freeze(parsed.data);
  // One mistake often breaks several rules of a variable: report the first.
  const isFirst = ({ path: [name] }: z.core.$ZodIssue, at: number, all: readonly z.core.$ZodIssue[]) =>
    all.findIndex(({ path }) => path[0] === name) === at;
  throw new ConfigError(
    parsed.error.issues.filter(isFirst).map((issue) => {
      const variable = String(issue.path[0] ?? '');
      const field = schema.shape[variable] as z.ZodType | undefined;
      // Our own rules word a missing variable themselves.
      const isMissing = variables[variable] === undefined && issue.code !== 'custom';
      return {
        variable,
        rule: isMissing ? 'is not set' : `${issue.message}${shownValue(variable, variables[variable])}`,
        remedy: descriptionOf(field) ?? 'See .env.example.',
      };
    }),
  );
}

/** The value for the message, unless it may be secret or personal: an address may contain a password. */
const shownValue = (variable: string, value: string | undefined): string =>
  value === undefined || /PASSWORD|KEY|JWK|URL|ENDPOINT|EMAIL|USERNAME/.test(variable)
    ? ''
    : ` (it is ${JSON.stringify(value.slice(0, SHOWN_CHARACTERS))})`;
/** Characters of a value in a message: enough to recognise it. */
const SHOWN_CHARACTERS = 60;

/** A variable's description, also where a default or `optional` wraps the described schema. */
function descriptionOf(field: z.ZodType | undefined): string | undefined {
  if (field?.description !== undefined) return field.description;
  if (field instanceof z.ZodDefault || field instanceof z.ZodOptional) {
    return descriptionOf(field.unwrap() as z.ZodType);
  }
  return undefined;
}

export type ConfigProblem = {
  variable: string;
  /** The rule that is broken, with the value where it cannot be a secret. */
  rule: string;
  /** What the variable is for, and an example. */
  remedy: string;
};

/** Exit code of a process whose configuration or arguments are wrong. */
export const EXIT_USAGE = 2;

/** The configuration is unusable. The message names every wrong variable, the rule that it breaks and what to set. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ variable, rule, remedy }) => `  ${variable}: ${rule}\n      ${remedy}`);
    super(
      `the configuration is not usable:\n${lines.join('\n')}\nEvery variable is explained in .env.example.`,
    );
    this.problems = problems;
  }
}

/**
 * Prints what is wrong with a service's configuration as one JSON list. `node SERVICE/src/config.ts` does only this, so that
 * a command that starts several services can report all mistakes before it starts any.
 */
export function printProblems(read: () => unknown): void {
  process.stdout.write(JSON.stringify(problemsOf(read)));
}

export function problemsOf(read: () => unknown): readonly ConfigProblem[] {
  try {
    read();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

export const portVariable = (what: string) =>
  z.coerce
    .number({ error: `must be a port, 0 to ${PORT_MAX}` })
    .int()
    .min(0)
    .max(PORT_MAX)
    .describe(what);

/** Whether the text is an IPv4 or IPv6 address or range, such as `10.0.0.7` or `10.0.0.0/24`. */
export function isAddressRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const bitsMax = isIP(address) === 6 ? 128 : 32;
  if (isIP(address) === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax);
}

/** A list separated by commas, with or without spaces around them. */
export const listVariable = (item: z.ZodType<string, string>) =>
  z
    .string()
    .default('')
    .transform((list) => list.split(',').flatMap((entry) => entry.trim() || []))
    .pipe(z.array(item));

export const countVariable = (what: string) =>
  z.coerce
    .number({ error: 'must be a whole number from 1 to 1000000' })
    .int()
    .min(1)
    .max(1_000_000)
    .describe(what);

/** Where an API listens. `localhost` means IPv4 alone: with two addresses it would be two listeners, each with its own bounds. */
export const listenVariable = (what: string) =>
  z
    .string()
    .regex(/^[\w.:-]+$/, 'must be an address such as 127.0.0.1 or ::, or a name')
    .default(LOOPBACK)
    .transform((host) => (host === 'localhost' ? LOOPBACK : host))
    .describe(what);

/** What a password holds most often where an address with one cannot be read. */
export const ESCAPES = 'with / ? # and @ of a password as %2F %3F %23 and %40';

/** Variables that several services read. */
export const sharedVariables = {
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, { message: 'must begin with postgres://', abort: true })
    .refine(
      (text) => URL.canParse(text),
      `must be an address such as postgres://user:password@host:5432/name, ${ESCAPES}`,
    )
    .describe('The PostgreSQL database, such as postgres://user:password@127.0.0.1:5432/brokerx.'),
  LOG_LEVEL: z
    .enum(LOG_LEVELS)
    .default('info')
    .describe(`How much is logged: ${LOG_LEVELS.join(', ')}.`),
  BROKERX_MODE: z
    .enum(MODES)
    .default('production')
    .describe(
      'development: with an inbox that shows all mail, passcodes in the log and simulated traders; production: without.',
    ),
  HOST: listenVariable('The address that is listened on; 0.0.0.0 for every interface.'),
  TRUSTED_PROXIES: listVariable(
    z.string().refine(isAddressRange, 'must be addresses or ranges such as 10.0.0.7,10.1.0.0/16'),
  ).describe(
    'Addresses of the gateways in front of this API, which tell the address of the client (X-Forwarded-For); none: nobody is believed.',
  ),
  CONNECTIONS_PER_ADDRESS_MAX: countVariable(
    'Connections to one API that one address may have open (of IPv6: one /64); proxies that are trusted may have any.',
  ).default(CONNECTION_BOUNDS.perAddressMax),
  HALF_SENT_PER_ADDRESS_MAX: countVariable(
    'Requests of one address that may be unfinished for longer than 2 s; the oldest beyond are cut off.',
  ).default(CONNECTION_BOUNDS.halfSentPerAddressMax),
  HEALTH_PORT: portVariable(
    'Port of /livez, /readyz and /metrics of a process without an API; 0: none.',
  ).default(0),
  BROKERX_INSTANCE: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, 'must be 1 to 64 of a-z, 0-9 and -')
    .optional()
    .describe('The name of this process, the same after a restart, such as command-api-1.'),
  BROKERX_OPENING: z
    .enum([WAITS_FOR_SIGNAL])
    .optional()
    .describe(
      `${WAITS_FOR_SIGNAL}: whoever started this process tells it when all are ready; unset: it begins at once.`,
    ),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url()
    .optional()
    .describe(
      'Where traces are sent (OTLP over HTTP), such as http://127.0.0.1:4318; unset: tracing is off.',
    ),
} as const;

/**
 * Servers that tests use instead of starting their own. They are removed from the environment, so that a process started by a
 * test uses only the servers which that test names.
 */
export function testAddresses(): TestAddresses {
  testServers ??= removeAddresses(process.env);
  return testServers;
}

const TEST_ADDRESSES = [
  'DATABASE_URL',
  'EVENTSTORE_URL',
  'EVENTSTORE_IMAGE',
  'KAFKA_BROKERS',
  'REDIS_URL',
] as const;
type TestAddresses = Partial<Record<(typeof TEST_ADDRESSES)[number], string>>;
let testServers: TestAddresses | undefined;

function removeAddresses(env: NodeJS.ProcessEnv): TestAddresses {
  const addresses: TestAddresses = {};
  for (const name of TEST_ADDRESSES) {
    const address = env[name];
    if (address) addresses[name] = address;
    delete env[name];
  }
  return addresses;
}
