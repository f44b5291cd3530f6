import { resolve } from 'node:path';
import { z } from 'zod';

/** The environment of the simulated traders. It is read here only. */
const Env = z.object({
  BROKERX_MODE: z.literal(
    'development',
    'must be development: simulated traders are people whose passwords are in the log',
  ),
  COMMAND_API_URL: z.url().default('http://127.0.0.1:8001'),
  QUERY_API_URL: z.url().default('http://127.0.0.1:8002'),
  OPERATOR_EMAIL: z.string().optional(),
  OPERATOR_PASSWORD: z.string().optional(),
  /** The file with the sign-ins of the simulated traders. */
  TRADERS_STATE: z.string().default('./.brokerx/traders.json'),
  TRADERS_SEED: z.coerce.number().int().min(0).default(1),
  /** The time between two rounds of quotes. A round sends about two commands for each symbol. */
  TRADERS_ROUND_MS: z.coerce.number().int().min(100).max(600_000).default(3_000),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});
export type Config = Readonly<z.infer<typeof Env>>;

/** Throws `ConfigError`. A variable set to nothing counts as not set. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const variables = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = Env.safeParse(variables);
  if (parsed.success) return Object.freeze(parsed.data);
  throw new ConfigError(
    parsed.error.issues.map(({ path, message }) => ({
      variable: String(path[0]),
      rule: message,
      remedy: 'See .env.example.',
    })),
  );
}

/** The environment is not usable; the message names every variable and its rule. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly problems: readonly { variable: string; rule: string; remedy: string }[];
  constructor(problems: ConfigError['problems']) {
    const lines = problems.map(({ variable, rule }) => `  ${variable}: ${rule}`);
    super(
      `the configuration is not usable:\n${lines.join('\n')}\nEvery variable is explained in .env.example.`,
    );
    this.problems = problems;
  }
}
/** The exit code of a process that was started wrongly: a supervisor need not start it again. */
export const EXIT_USAGE = 2;

/** The variables that an installation of a tool's own inherits: none of the caller's addresses and secrets. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, USER, LANG, TMPDIR, NODE_COMPILE_CACHE } = process.env;
  return { PATH, HOME, USER, LANG, TMPDIR, NODE_COMPILE_CACHE };
}

/** The root of this repository, from which whole installations are started. */
export const REPOSITORY = resolve(import.meta.dirname, '../..');

/** Prints what is wrong as a JSON list: the supervisor asks all services for it before it starts any. */
if (import.meta.main) process.stdout.write(JSON.stringify(problems()));

function problems(): ConfigError['problems'] {
  try {
    loadConfig();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
