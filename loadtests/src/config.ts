import { resolve } from 'node:path';
import { z } from 'zod';

/** The environment of the simulated traders, read once and here alone. */
const Env = z.object({
  BROKERX_MODE: z.literal(
    'development',
    'must be development: simulated traders are people whose passwords are in the log',
  ),
  COMMAND_API_URL: z.url().default('http://127.0.0.1:8001'),
  QUERY_API_URL: z.url().default('http://127.0.0.1:8002'),
  OPERATOR_EMAIL: z.string().optional(),
  OPERATOR_PASSWORD: z.string().optional(),
  /** File in which the simulated traders keep who they are. */
  TRADERS_STATE: z.string().default('./.brokerx/traders.json'),
  TRADERS_SEED: z.coerce.number().int().min(0).default(1),
  /** How often each symbol's quotes are looked after; every round is about two commands a symbol. */
  TRADERS_ROUND_MS: z.coerce.number().int().min(100).max(600_000).default(3_000),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});
export type Config = Readonly<z.infer<typeof Env>>;

/** Throws `ConfigError`. A variable set to nothing counts as not set. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = Env.safeParse(given);
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
/** Exit code of a process that was started wrongly: whoever keeps it running need not try again. */
export const EXIT_USAGE = 2;

/** What an installation of one's own inherits: none of the caller's addresses and secrets. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, USER, LANG, TMPDIR, NODE_COMPILE_CACHE } = process.env;
  return { PATH, HOME, USER, LANG, TMPDIR, NODE_COMPILE_CACHE };
}

/** The root of this repository, from which whole installations are started. */
export const REPOSITORY = resolve(import.meta.dirname, '../..');

/** What is wrong, as one JSON list, for whoever starts several services and hears of all of it first. */
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
