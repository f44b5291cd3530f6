import { adapterVariables } from '@brokerx/infra/adapters.settings.ts';
import { ConfigError, loadConfig, sharedVariables } from '@brokerx/infra/runtime/config.ts';
import { StartRefused } from '@brokerx/infra/runtime/startRefused.ts';
import { parseMasterKey } from '@brokerx/infra/vault/sealing.ts';
import { z } from 'zod';

/** What services share is looked at before anything is made, and told once instead of by each of them. */
export function refuseBrokenVariables(env: Readonly<Record<string, string | undefined>>): void {
  // That of the database is looked at where it is used, with what is found there.
  const { DATABASE_URL, ...adapters } = adapterVariables;
  const { LOG_LEVEL, TRUSTED_PROXIES, OTEL_EXPORTER_OTLP_ENDPOINT } = sharedVariables;
  const { CONNECTIONS_PER_ADDRESS_MAX, HALF_SENT_PER_ADDRESS_MAX } = sharedVariables;
  const bounds = { TRUSTED_PROXIES, CONNECTIONS_PER_ADDRESS_MAX, HALF_SENT_PER_ADDRESS_MAX };
  const shared = { LOG_LEVEL, OTEL_EXPORTER_OTLP_ENDPOINT, READ_DATABASE_URL: DATABASE_URL.optional() };
  const BROKERX_MASTER_KEY = z
    .string()
    .refine((text) => parseMasterKey(text) !== undefined, 'must be base64 of 32 random bytes')
    .optional()
    .describe('Wraps the keys of all personal data (openssl rand -base64 32).');
  try {
    loadConfig(z.object({ ...adapters, ...bounds, ...shared, BROKERX_MASTER_KEY }), env);
  } catch (error) {
    throw error instanceof ConfigError ? new StartRefused(error.message, { cause: error }) : error;
  }
}
