import { z } from 'zod';

/** The environment, read once and here alone. */
const Env = z.object({
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

export const loadConfig = (env: NodeJS.ProcessEnv = process.env): Config => Object.freeze(Env.parse(env));

/** What an installation of one's own inherits: none of the caller's addresses and secrets. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, USER, LANG, TMPDIR, NODE_COMPILE_CACHE } = process.env;
  return { PATH, HOME, USER, LANG, TMPDIR, NODE_COMPILE_CACHE };
}
