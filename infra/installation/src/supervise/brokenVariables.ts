import { adapterSettings, adapterVariables } from '@brokerx/infra/adapters.settings.ts';
import {
  type ConfigProblem,
  loadConfig,
  problemsOf,
  sharedVariables,
} from '@brokerx/infra/runtime/config.ts';
import { MAIL_NEEDED } from '@brokerx/infra/runtime/mode.ts';
import { parseMasterKey } from '@brokerx/infra/vault/sealing.ts';
import { z } from 'zod';

export type Variables = Readonly<Record<string, string | undefined>>;

const { DATABASE_URL, ...adapters } = adapterVariables;
const { LOG_LEVEL, TRUSTED_PROXIES, OTEL_EXPORTER_OTLP_ENDPOINT } = sharedVariables;
const { CONNECTIONS_PER_ADDRESS_MAX, HALF_SENT_PER_ADDRESS_MAX } = sharedVariables;
const Shared = z.object({
  ...adapters,
  DATABASE_URL: DATABASE_URL.optional(),
  READ_DATABASE_URL: DATABASE_URL.optional(),
  LOG_LEVEL,
  OTEL_EXPORTER_OTLP_ENDPOINT,
  TRUSTED_PROXIES,
  CONNECTIONS_PER_ADDRESS_MAX,
  HALF_SENT_PER_ADDRESS_MAX,
  BROKERX_MASTER_KEY: z
    .string()
    .refine((text) => parseMasterKey(text) !== undefined, 'must be base64 of 32 random bytes')
    .optional()
    .describe('Wraps the keys of all personal data (openssl rand -base64 32).'),
});

/** The mistakes in variables that several services read; no service has to be run to find them. */
export const sharedProblems = (env: Variables): readonly ConfigProblem[] =>
  problemsOf(() => {
    const config = loadConfig(Shared, env);
    adapterSettings({ ...config, DATABASE_URL: config.DATABASE_URL ?? '' });
  });

/** The variables that `sharedProblems` checks, and those that the start command sets itself. */
export const CHECKED_VARIABLES: ReadonlySet<string> = new Set([
  ...Object.keys(Shared.shape),
  'BROKERX_MODE',
  'BROKERX_DATA',
  'BROKERX_COMMAND_APIS',
  'BROKERX_ENGINES',
  'BROKERX_PROJECTORS',
  'BROKERX_QUERY_APIS',
  'BROKERX_INSTANCE',
  'BROKERX_OPENING',
  'COMMAND_API_PORT',
  'QUERY_API_PORT',
  'COMMAND_API_URL',
  'QUERY_API_URL',
  'HOST',
]);

/** One half of the operator's sign-in is set without the other, which would be generated without the person knowing it. */
export function halfAnOperator({ OPERATOR_EMAIL, OPERATOR_PASSWORD }: Variables): ConfigProblem[] {
  if (Boolean(OPERATOR_EMAIL) === Boolean(OPERATOR_PASSWORD)) return [];
  const [variable, missing] = OPERATOR_EMAIL
    ? ['OPERATOR_EMAIL', 'OPERATOR_PASSWORD']
    : ['OPERATOR_PASSWORD', 'OPERATOR_EMAIL'];
  const rule = `is set without ${missing}: set both or neither`;
  return [{ variable, rule, remedy: 'The first operator’s sign-in; both are made up where neither is set.' }];
}

export function noMail(mode: string, { SMTP_URL }: Variables): ConfigProblem[] {
  if (mode !== 'production' || SMTP_URL) return [];
  const remedy =
    'Set it to your mail server, such as smtps://user:password@mail.example.com; to try BrokerX without one, set BROKERX_MODE=development.';
  return [{ variable: 'SMTP_URL', rule: MAIL_NEEDED, remedy }];
}
