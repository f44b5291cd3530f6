import { adapterVariables } from '@brokerx/infra/adapters.settings.ts';
import { loadConfig, portVariable, printProblems, sharedVariables } from '@brokerx/infra/runtime/config.ts';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { z } from 'zod';
import { checkMail, checkOperator, checkReminder, peopleVariables } from './people/settings.ts';

/** The environment of command-api, parsed once. */
const Variables = z
  .object({
    ...adapterVariables,
    DATABASE_FOLDER: z
      .string()
      .optional()
      .describe('The folder of a database on this machine: while its disk is full, commands are refused.'),
    READ_DATABASE_URL: adapterVariables.DATABASE_URL.optional().describe(
      'The PostgreSQL database of the read models, for previews; the same as DATABASE_URL when not set.',
    ),
    LOG_LEVEL: sharedVariables.LOG_LEVEL,
    BROKERX_MODE: sharedVariables.BROKERX_MODE,
    BROKERX_INSTANCE: sharedVariables.BROKERX_INSTANCE.default('command-api-1'),
    BROKERX_OPENING: sharedVariables.BROKERX_OPENING,
    OTEL_EXPORTER_OTLP_ENDPOINT: sharedVariables.OTEL_EXPORTER_OTLP_ENDPOINT,
    COMMAND_API_HOST: sharedVariables.HOST,
    TRUSTED_PROXIES: sharedVariables.TRUSTED_PROXIES,
    CONNECTIONS_PER_ADDRESS_MAX: sharedVariables.CONNECTIONS_PER_ADDRESS_MAX,
    HALF_SENT_PER_ADDRESS_MAX: sharedVariables.HALF_SENT_PER_ADDRESS_MAX,
    COMMAND_API_PORT: portVariable('Port of command-api; 0: any free one.').default(8001),
    REFUSAL_RATE_PER_MINUTE: z.coerce
      .number({ error: 'must be a whole number from 1 to 1000000' })
      .int()
      .min(1)
      .max(1_000_000)
      .default(300)
      .describe(
        'Refused orders of one account that are recorded in a minute, and as many other refused commands; what is beyond gets 429.',
      ),
    ...peopleVariables,
  })
  .superRefine(checkOperator)
  .superRefine(checkMail)
  .superRefine(checkReminder);

export function commandApiConfig(env?: NodeJS.ProcessEnv) {
  const given = loadConfig(Variables, env);
  const AUTH_ISSUER = given.AUTH_ISSUER ?? `http://${LOOPBACK}:${given.COMMAND_API_PORT}`;
  return Object.freeze({ ...given, AUTH_ISSUER });
}
export type CommandApiConfig = ReturnType<typeof commandApiConfig>;

if (import.meta.main) printProblems(commandApiConfig);
